"""`penstock.preprocess`: the preprocessing of a model's configuration, in process.

Training and serving then share one code path: the same declaration, the same C++ code, the same
bytes. The steps and their settings: docs/preprocessing.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from penstock import _core
from penstock._image_steps import IMAGE_STEPS
from penstock.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Buffer

    StepConfig = Mapping[str, Mapping[str, object] | None]

__all__ = ["Pipeline"]


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

    config: the steps in their order, each a mapping of its name to its settings. Raises ConfigError
    where a step is unknown, a setting is wrong or a step cannot work after those before it; the
    message begins with the step's path, such as `steps[1].resize.filter`.

    Any number of threads may call it at once; the GIL is released while it works.
    """

    def __init__(self, config: Sequence[StepConfig]) -> None:
        names, steps = _read_steps(config)
        try:
            self._core = _core.Preprocessor(steps)
        except _core.StepError as error:
            index, message = error.args
            where = f"steps[{index}].{names[index]}" if names else "steps"
            raise ConfigError(f"{where}: {message}") from None

    def __call__(self, batch: Sequence[Buffer], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """The tensor of a batch: one row for each item, an encoded picture as bytes.

        out: a C-contiguous array of the result's dtype and shape to write to, which is then what
        is returned: fresh memory for every batch costs page faults. None makes one.

        Raises InvalidRequestError where an item is no picture, is broken or exceeds a limit; the
        message names the row. What `out` holds is then undefined.
        """
        return self._core.run(batch, out)

    @property
    def datatype(self) -> str:
        """Of the tensor, as the Open Inference Protocol names it: FP32, FP16 or UINT8."""
        return self._core.datatype

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Of one row, without the batch's dimension: (3, 224, 224)."""
        return self._core.row_shape


def _read_steps(config: Sequence[StepConfig]) -> tuple[list[str], list[Any]]:
    if isinstance(config, str | bytes) or not isinstance(config, Sequence):
        raise ConfigError(f"steps: expected a list of steps, got {type(config).__name__}")
    names: list[str] = []
    steps: list[Any] = []
    for index, entry in enumerate(config):
        where = f"steps[{index}]"
        if not isinstance(entry, Mapping) or len(entry) != 1:
            raise ConfigError(f"{where}: expected one step's name with its settings")
        name, settings = next(iter(entry.items()))
        kind = IMAGE_STEPS.get(name)
        if kind is None:
            raise ConfigError(f"{where}: unknown step {name!r}; known: {', '.join(IMAGE_STEPS)}")
        if settings is not None and not isinstance(settings, Mapping):
            raise ConfigError(f"{where}.{name}: expected settings, got {settings!r}")
        try:
            step = kind.model_validate(dict(settings or {}))
        except ValidationError as error:
            problems = (
                _problem(f"{where}.{name}", kind.model_fields, detail)
                for detail in error.errors(include_url=False)
            )
            raise ConfigError("; ".join(problems)) from None
        names.append(name)
        steps.append(step.core())
    return names, steps


def _problem(where: str, known: Mapping[str, object], detail: Mapping[str, Any]) -> str:
    key = ".".join([where, *(str(part) for part in detail["loc"])])
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown setting; known are {', '.join(known)}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return (
        f"{key}: {message}" if not detail["loc"] else f"{key}: {message}, got {detail['input']!r}"
    )
