# The C++ core as native/binding/core.cc exposes it; tests/meta compares the two.

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from numpy.typing import ArrayLike, NDArray
from typing_extensions import Buffer

from penstock._options import ModelOptions, ServerOptions
from penstock._tokenizer_spec import Padding, TextTensor, TokenizerSpec
from penstock.columns import Table

__all__ = [
    "ArgmaxStep",
    "BucketizeStep",
    "CenterCropStep",
    "ClipStep",
    "ColumnFeature",
    "ColumnInput",
    "CropStep",
    "DecodeImageStep",
    "Engine",
    "EngineFinished",
    "Error",
    "HashStep",
    "ImputeStep",
    "IsMissingStep",
    "L2NormalizeStep",
    "LabelsStep",
    "LiveCounts",
    "LoadCounts",
    "LoadHistogram",
    "LoadOptions",
    "LoadPayload",
    "LoadPayloadResult",
    "LoadProgress",
    "LoadResult",
    "LoadRun",
    "LoadSecond",
    "MeanPoolStep",
    "ModelReport",
    "ModelSource",
    "NormalizeStep",
    "OneHotStep",
    "OrdinalStep",
    "PipelineChain",
    "PipelineRunner",
    "Preprocessor",
    "PythonBatch",
    "PythonSteps",
    "RaggedDeclaration",
    "ReadPixelsStep",
    "RenameStep",
    "ResizeStep",
    "ScaleStep",
    "Server",
    "SigmoidStep",
    "SoftmaxStep",
    "StepError",
    "TensorReport",
    "ThresholdStep",
    "ToTensorStep",
    "Tokenizer",
    "TopKStep",
    "Transform",
    "UnaryCall",
    "columns_transform",
    "granted_cores",
    "image_transform",
    "post_transform",
    "tokenize_transform",
]

# Cores that this process may use, fractions included; by affinity and control group.
def granted_cores() -> float: ...

class Error(Exception):
    # The canonical gRPC code's number, and a message for the operator.
    args: tuple[int, str]

class RaggedDeclaration:
    # mask: empty where there is none.
    def __init__(self, *, input: str, axis: int, pad: float, mask: str) -> None: ...

class ModelSource:
    def __init__(
        self,
        *,
        name: str,
        version: int,
        path: str,
        options: ModelOptions,
        preprocessing: Sequence[PipelineChain] = ...,
        postprocessing: Sequence[PipelineChain] = ...,
        allow_raw: bool = ...,
        labels: Mapping[str, Sequence[str]] = ...,
        ragged: Sequence[RaggedDeclaration] = ...,
    ) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def path(self) -> str: ...

class TensorReport:
    @property
    def name(self) -> str: ...
    @property
    def datatype(self) -> str: ...
    @property
    def shape(self) -> list[int]: ...

class ModelReport:
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def inputs(self) -> list[TensorReport]: ...
    @property
    def outputs(self) -> list[TensorReport]: ...
    @property
    def preprocessing(self) -> list[str]: ...
    @property
    def postprocessing(self) -> list[str]: ...
    @property
    def raw_inputs(self) -> list[TensorReport]: ...
    @property
    def providers(self) -> list[str]: ...
    @property
    def ragged(self) -> str: ...
    @property
    def probe_note(self) -> str: ...
    @property
    def batchable(self) -> bool: ...
    @property
    def batchable_reason(self) -> str: ...
    @property
    def execution(self) -> str: ...
    @property
    def execution_reason(self) -> str: ...
    @property
    def max_batch_size(self) -> int: ...
    @property
    def l1_us(self) -> float: ...
    @property
    def lmax_us(self) -> float: ...

class LiveCounts:
    @property
    def connections(self) -> int: ...
    @property
    def calls(self) -> int: ...
    @property
    def buffers(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def finished(self) -> int: ...

class Server:
    @staticmethod
    def create(options: ServerOptions, models: Sequence[ModelSource]) -> Server: ...
    def stop(self, drain_timeout_ms: int) -> bool: ...
    def live_counts(self) -> LiveCounts: ...
    # Prometheus text; the GIL is released.
    def metrics_text(self) -> bytes: ...
    @property
    def host(self) -> str: ...
    @property
    def grpc_port(self) -> int: ...
    @property
    def models(self) -> list[ModelReport]: ...

# penstock.Engine says what infer takes, returns and raises.
class Engine:
    def __init__(self, options: ServerOptions, models: Sequence[ModelSource]) -> None: ...
    def infer(
        self,
        model: str,
        inputs: Mapping[str, ArrayLike] | ArrayLike | Table,
        outputs: Sequence[str] | None = None,
        *,
        timeout: float | None = None,
        version: str | None = None,
    ) -> dict[str, NDArray[Any]]: ...
    # The answer at once, where the run is expected to end within 10 us. None: EngineFinished
    # returns it, with the token, which must keep this object alive and stays alive until then.
    def submit(
        self,
        model: str,
        inputs: Mapping[str, ArrayLike] | ArrayLike | Table,
        outputs: Sequence[str] | None = None,
        *,
        timeout: float | None = None,
        version: str | None = None,
        token: object,
    ) -> dict[str, NDArray[Any]] | None: ...
    # What still waits ends with CANCELLED. A token that has ended is nothing.
    def cancel(self, token: object) -> None: ...
    def stop(self, drain_timeout_ms: int) -> bool: ...
    # docs/reference/metrics.md: what it says of models, in Prometheus' text format, UTF-8.
    def metrics_text(self) -> bytes: ...
    def live_calls(self) -> int: ...
    @property
    def reports(self) -> list[ModelReport]: ...

class EngineFinished:
    def __init__(self, engine: Engine) -> None: ...
    # Blocks with the GIL released. (token, whether it went well, answer or exception) of each call
    # that ended; empty: the engine has stopped.
    def next(self) -> list[tuple[Any, bool, Any]]: ...

# --- the load generator: native/include/penstock/load.h says what every field means ---

_Bucket: TypeAlias = tuple[float, int]  # value_us, count
_LoadEnd: TypeAlias = Literal[
    "running", "finished", "stopped", "not_connected", "disconnected", "stalled"
]

class LoadPayload:
    def __init__(
        self,
        *,
        path: str,
        messages: Sequence[bytes],
        expected: Sequence[bytes] = (),
        check: Literal["status", "bytes", "tensors"] = "tensors",
        tolerance: float = 1e-4,
        weight: float = 1.0,
        timeout_us: int = 0,
        metadata: Sequence[tuple[str, str]] = (),
        source: str = "",
    ) -> None: ...

class LoadOptions:
    # segments: (duration_s, rate_start, rate_end). A value that cannot be raises Error in
    # LoadRun.create, not here.
    def __init__(
        self,
        *,
        payloads: Sequence[LoadPayload],
        host: str = "127.0.0.1",
        port: int = 8001,
        connections: int = 4,
        mode: Literal["open", "closed"] = "open",
        arrivals: Literal["poisson", "constant"] = "poisson",
        segments: Sequence[tuple[float, float, float]] = (),
        concurrency: int = 1,
        duration_s: float = 10.0,
        requests_max: int = 0,
        warmup_s: float = 0.0,
        seed: int = 1,
        in_flight_max: int = 100_000,
        connect_timeout_s: float = 5.0,
        stall_timeout_s: float = 30.0,
        drain_timeout_s: float = 10.0,
        keep_second_buckets: bool = False,
    ) -> None: ...

class LoadHistogram:
    @property
    def count(self) -> int: ...
    @property
    def mean_us(self) -> float: ...
    @property
    def min_us(self) -> float: ...
    @property
    def max_us(self) -> float: ...
    @property
    def buckets(self) -> list[_Bucket]: ...
    def percentile_us(self, percent: float) -> float: ...

class LoadCounts:
    @property
    def offered(self) -> int: ...
    @property
    def sent(self) -> int: ...
    @property
    def ok(self) -> int: ...
    @property
    def wrong(self) -> int: ...
    @property
    def shed(self) -> int: ...
    @property
    def deadline_missed(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def transport_errors(self) -> int: ...
    @property
    def unanswered(self) -> int: ...
    @property
    def generator_limited(self) -> int: ...
    @property
    def statuses(self) -> dict[int, int]: ...

class LoadSecond:
    @property
    def index(self) -> int: ...
    @property
    def offered(self) -> int: ...
    @property
    def sent(self) -> int: ...
    @property
    def ok(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def p50_us(self) -> float: ...
    @property
    def p99_us(self) -> float: ...
    @property
    def max_us(self) -> float: ...
    @property
    def buckets(self) -> list[_Bucket]: ...

class LoadPayloadResult:
    @property
    def counts(self) -> LoadCounts: ...
    @property
    def latency(self) -> LoadHistogram: ...

class LoadResult:
    @property
    def end(self) -> _LoadEnd: ...
    @property
    def failure(self) -> str: ...
    @property
    def duration_s(self) -> float: ...
    @property
    def elapsed_s(self) -> float: ...
    @property
    def counts(self) -> LoadCounts: ...
    @property
    def payloads(self) -> list[LoadPayloadResult]: ...
    @property
    def latency(self) -> LoadHistogram: ...
    @property
    def latency_from_send(self) -> LoadHistogram: ...
    @property
    def shed_latency(self) -> LoadHistogram: ...
    @property
    def schedule_error(self) -> LoadHistogram: ...
    @property
    def seconds(self) -> list[LoadSecond]: ...
    # Different failure texts, each with its count.
    @property
    def examples(self) -> list[tuple[str, int]]: ...
    @property
    def warmup_calls(self) -> int: ...
    @property
    def connections_lost(self) -> int: ...
    @property
    def stream_limited(self) -> int: ...
    @property
    def stream_limit(self) -> int: ...
    @property
    def cpu_s(self) -> float: ...
    @property
    def busy_share(self) -> float: ...

class LoadProgress:
    @property
    def end(self) -> _LoadEnd: ...
    @property
    def connected(self) -> bool: ...
    @property
    def warming(self) -> bool: ...
    @property
    def elapsed_s(self) -> float: ...
    @property
    def total_s(self) -> float: ...
    @property
    def offered(self) -> int: ...
    @property
    def ok(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def p50_us(self) -> float: ...
    @property
    def p99_us(self) -> float: ...

class LoadRun:
    # Raises Error for options that cannot be and for a host that cannot be resolved.
    @staticmethod
    def create(options: LoadOptions) -> LoadRun: ...
    def start(self) -> None: ...
    def snapshot(self) -> LoadProgress: ...
    # Whole seconds from index `first` on that have passed.
    def seconds(self, first: int = 0) -> list[LoadSecond]: ...
    def stop(self) -> None: ...
    # True: the run has ended. The GIL is released; a signal is handled after at most timeout_s.
    def wait(self, timeout_s: float) -> bool: ...
    # RuntimeError before the run has ended.
    def result(self) -> LoadResult: ...

class UnaryCall:
    # Blocks with the GIL released. Never raises for what the server does: see code.
    @staticmethod
    def run(
        *, host: str, port: int, path: str, message: bytes, timeout_s: float = 5.0
    ) -> UnaryCall: ...
    @property
    def code(self) -> int: ...
    @property
    def status_message(self) -> str: ...
    @property
    def message(self) -> bytes: ...

# --- preprocessing: native/include/penstock/preprocess.h says what every field means ---

_Rgb: TypeAlias = tuple[int, int, int]

class DecodeImageStep:
    def __init__(
        self,
        *,
        grey: bool,
        orient: bool,
        composite_alpha: bool,
        background: _Rgb,
        scaled: bool,
        max_pixels: int,
        max_scans: int,
        max_memory_bytes: int,
    ) -> None: ...

class ReadPixelsStep:
    def __init__(self, *, width: int, height: int, grey: bool) -> None: ...

class CropStep:
    def __init__(self, *, x: int, y: int, width: int, height: int) -> None: ...

class CenterCropStep:
    def __init__(self, *, width: int, height: int) -> None: ...

class ResizeStep:
    def __init__(self, *, mode: str, filter: str, width: int, height: int, fill: _Rgb) -> None: ...

class NormalizeStep:
    def __init__(self, *, scale: float, mean: Sequence[float], std: Sequence[float]) -> None: ...

class ToTensorStep:
    def __init__(self, *, datatype: str, layout: str, bgr: bool, shape: Sequence[int]) -> None: ...

_Step: TypeAlias = (
    DecodeImageStep
    | ReadPixelsStep
    | CropStep
    | CenterCropStep
    | ResizeStep
    | NormalizeStep
    | ToTensorStep
)

class StepError(Exception):
    # The index of the step that cannot work, and why.
    args: tuple[int, str]

# Compiled steps: native/include/penstock/transform.h.
class Transform: ...

class PipelineChain:
    def __init__(
        self, *, from_: Sequence[str], to: Sequence[str], steps: Sequence[str], transform: Transform
    ) -> None: ...

class PipelineRunner:
    def __init__(self, chains: Sequence[PipelineChain]) -> None: ...
    # penstock.preprocess.Pipeline says what it takes, returns and raises.
    def run(self, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]: ...

def image_transform(steps: Sequence[_Step]) -> Transform: ...

# --- behind a model: native/include/penstock/post.h says what every step does ---

class SoftmaxStep: ...
class L2NormalizeStep: ...
class SigmoidStep: ...
class ArgmaxStep: ...
class MeanPoolStep: ...
class RenameStep: ...

class TopKStep:
    def __init__(self, *, k: int, labels: Sequence[str]) -> None: ...

class ThresholdStep:
    def __init__(self, *, at: float, labels: Sequence[str]) -> None: ...

class LabelsStep:
    def __init__(self, *, labels: Sequence[str]) -> None: ...

_PostStep: TypeAlias = (
    SoftmaxStep
    | L2NormalizeStep
    | SigmoidStep
    | ArgmaxStep
    | MeanPoolStep
    | RenameStep
    | TopKStep
    | ThresholdStep
    | LabelsStep
)

def post_transform(steps: Sequence[_PostStep]) -> Transform: ...

# --- a step of Python's own: native/include/penstock/python_step.h ---

class PythonBatch:
    # Empty, or what is wrong with the arrays: the batch has failed then. TypeError for what is no
    # array; the batch is still open then.
    def finish(self, arrays: list[Any]) -> str: ...
    def fail(self, code: int, message: str) -> None: ...

_Ports: TypeAlias = Sequence[tuple[str, Sequence[int]]]

class PythonSteps:
    def __init__(self) -> None: ...
    # The transform, and the number of its step. ValueError for a datatype that cannot be.
    def transform(
        self, *, inputs: _Ports, outputs: _Ports, timeout_ms: int
    ) -> tuple[Transform, int]: ...
    # A batch, the number of its step and its inputs, read-only; None once closed.
    def pull(self) -> tuple[PythonBatch, int, list[NDArray[Any]]] | None: ...
    def close(self) -> None: ...

class Preprocessor:
    def __init__(self, steps: Sequence[_Step]) -> None: ...
    # penstock.preprocess.Pipeline says what it takes, returns and raises.
    def run(self, batch: Sequence[Buffer], out: NDArray[Any] | None = None) -> NDArray[Any]: ...
    @property
    def datatype(self) -> str: ...
    @property
    def row_shape(self) -> tuple[int, ...]: ...

# --- tables: native/include/penstock/columns.h says what every field means ---

_Value: TypeAlias = int | float | str

class ImputeStep:
    def __init__(self, *, marker: _Value | None, value: _Value) -> None: ...

class ScaleStep:
    def __init__(self, *, subtract: float, divide: float, multiply: float, add: float) -> None: ...

class ClipStep:
    def __init__(self, *, min: float, max: float) -> None: ...

class BucketizeStep:
    def __init__(self, *, edges: Sequence[float]) -> None: ...

class IsMissingStep:
    def __init__(self) -> None: ...

class OrdinalStep:
    def __init__(
        self, *, categories: Sequence[_Value], values: Sequence[float], unknown: float | None
    ) -> None: ...

class OneHotStep:
    def __init__(
        self,
        *,
        categories: Sequence[_Value],
        slots: Sequence[int],
        width: int,
        unknown: int | None,
    ) -> None: ...

class HashStep:
    def __init__(
        self, *, width: int, alternate_sign: bool, prefix: str, string_bytes_max: int
    ) -> None: ...

_ColumnStep: TypeAlias = (
    ImputeStep
    | ScaleStep
    | ClipStep
    | BucketizeStep
    | IsMissingStep
    | OrdinalStep
    | OneHotStep
    | HashStep
)

class ColumnInput:
    def __init__(self, *, datatype: str, columns: Sequence[str], matrix: bool) -> None: ...

class ColumnFeature:
    def __init__(
        self,
        *,
        columns: Sequence[str],
        steps: Sequence[_ColumnStep],
        output: int,
        refuse_missing: bool,
    ) -> None: ...

def columns_transform(
    *,
    inputs: Sequence[ColumnInput],
    outputs: Sequence[str],
    features: Sequence[ColumnFeature],
    output_bytes_max: int,
) -> Transform: ...

# --- text: native/include/penstock/tokenizer.h says what every field means ---

class Tokenizer:
    def __init__(self, spec: TokenizerSpec) -> None: ...
    # input_ids, attention_mask and token_type_ids; penstock.tokenizer says more.
    def encode(
        self, texts: list[str | bytes], pairs: list[str | bytes] | None, padding: Padding
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]: ...

def tokenize_transform(
    spec: TokenizerSpec,
    padding: Padding,
    outputs: Sequence[TextTensor],
    *,
    pairs: bool,
    datatype: str,
) -> Transform: ...
