"""`penstock.preprocess`: the preprocessing of a model's configuration, in process.

Training and serving then share one code path: the same declaration, the same C++ code, the same
bytes. The steps and their settings: docs/preprocessing.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from penstock import _core
from penstock._image_steps import IMAGE
from penstock._pipeline_config import inputs_of, read_chains, read_steps
from penstock.columns import Table, from_columns, taken_columns
from penstock.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Buffer

    StepConfig = Mapping[str, Mapping[str, object] | None]
    ChainConfig = Mapping[str, object]

__all__ = ["Pipeline", "export_sklearn"]


class Pipeline:
    """Declared steps, compiled once.

        pipeline = Pipeline([
            {"decode_image": {}},
            {"resize": {"shortest_side": 256}},
            {"center_crop": {"width": 224, "height": 224}},
            {"normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}},
            {"to_tensor": {"datatype": "FP32", "layout": "CHW"}},
        ])
        tensor = pipeline([jpeg_bytes, png_bytes])  # float32, (2, 3, 224, 224)

    config: the steps of a picture in their order, each a mapping of its name to its settings; or
    the chains of a model.yaml's `preprocessing` or `postprocessing`, each with from, to and steps:

        pipeline = Pipeline([{"from": "image", "to": "pixel_values", "steps": [...]}])
        pipeline({"image": [jpeg_bytes, png_bytes]})["pixel_values"]  # the same tensor

    folder: where files that steps name are looked for.

    Raises ConfigError where a step is unknown, a setting is wrong or a step cannot work after those
    before it; the message begins with the step's path, such as `steps[1].resize.filter`.

    Any number of threads may call it at once; the GIL is released while it works.
    """

    def __init__(
        self,
        config: Sequence[StepConfig] | Sequence[ChainConfig],
        folder: str | PathLike[str] = ".",
    ) -> None:
        self._flat: _core.Preprocessor | None = None
        self._chains: _core.PipelineRunner | None = None
        if _is_chains(config):
            chains = read_chains(config, "chains", Path(folder))
            self._inputs = inputs_of(chains)
            try:
                self._chains = _core.PipelineRunner([chain.core for chain in chains])
            except _core.Error as error:
                raise ConfigError(error.args[1]) from None
        else:
            self._flat = _compile_flat(config)

    @overload
    def __call__(
        self, batch: Sequence[Buffer], out: NDArray[Any] | None = None
    ) -> NDArray[Any]: ...
    @overload
    def __call__(
        self, batch: Mapping[str, ArrayLike] | Sequence[Mapping[str, object]] | Table
    ) -> dict[str, NDArray[Any]]: ...
    def __call__(
        self, batch: Any, out: NDArray[Any] | None = None
    ) -> NDArray[Any] | dict[str, NDArray[Any]]:
        """The tensors of a batch.

        Of steps: one row for each item, an encoded picture as bytes. out: a C-contiguous array of
        the result's dtype and shape to write to, which is then what is returned: fresh memory for
        every batch costs page faults. None makes one.

        Of chains: batch maps each name that a chain takes to an array or a list, the rows first
        (BYTES: bytes, or str as UTF-8), or is a DataFrame or a list of dicts. Columns become the
        datatype that the chain takes, as by penstock.columns.from_columns; arrays are taken as they
        are, and columns that no chain takes are left out. The answer has what every chain makes,
        read-only; a chain may take what one before it makes.

        Raises InvalidRequestError where an item is no picture, is broken or exceeds a limit; the
        message names the row. What `out` holds is then undefined. ValueError where a column cannot
        be what a chain takes.
        """
        if self._flat is not None:
            if isinstance(batch, Mapping):
                raise TypeError("batch: expected a sequence of bytes, one item for each row")
            return self._flat.run(batch, out)
        if out is not None:
            raise TypeError("out: chains make their own arrays")
        assert self._chains is not None
        if self._inputs is None:
            return self._chains.run(from_columns(batch))
        return self._chains.run(taken_columns(batch, self._inputs))

    @property
    def datatype(self) -> str:
        """Of the tensor that steps make, as the Open Inference Protocol names it: FP32, FP16 or
        UINT8. AttributeError for chains."""
        return self._steps().datatype

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Of one row that steps make, without the batch's dimension: (3, 224, 224). AttributeError
        for chains."""
        return self._steps().row_shape

    def _steps(self) -> _core.Preprocessor:
        if self._flat is None:
            raise AttributeError("chains make tensors of their own kinds each")
        return self._flat


def _is_chains(config: object) -> bool:
    if isinstance(config, str | bytes) or not isinstance(config, Sequence) or not config:
        return False
    return isinstance(config[0], Mapping) and "steps" in config[0]


def _compile_flat(config: object) -> _core.Preprocessor:
    family, names, steps = read_steps(config, "steps")
    if family is not IMAGE:
        raise ConfigError(f"steps[0].{names[0]}: needs names; give chains of from, to and steps")
    try:
        return _core.Preprocessor([step.core() for step in steps])
    except _core.StepError as error:
        index, message = error.args
        raise ConfigError(f"steps[{index}].{names[index]}: {message}") from None


def export_sklearn(
    transformer: Any,
    *,
    to: str = "features",
    numbers: Literal["FP64", "FP32"] = "FP64",
    datatypes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A fitted scikit-learn transformer as the `preprocessing` of a model.yaml.

        config = export_sklearn(pipeline)
        features = Pipeline(config["preprocessing"])(frame)["features"]

    transformer: a ColumnTransformer, a Pipeline (an estimator at its end is left out) or one of the
    transformers that docs/preprocessing.md lists.
    to: the model's input that the columns become: FP32 (rows, columns).
    numbers: what columns of numbers are sent as. Categories that are integers or booleans come as
    INT64 and BOOL; datatypes says otherwise for single columns.

    The inputs are named after the columns of the frame that it was fitted on. Fitted on an array
    they are x0, x1 and so on; where all are numbers, columns of one input `x`.

    Raises ExportError, which names every part that has no equal here, and why.
    """
    from penstock._sklearn_export import export_columns

    exported = export_columns(transformer, numbers, datatypes or {})
    return {"preprocessing": [exported.chain(to)]}
