"""PURE. The image steps of a pipeline: every setting once, with its default and what it means.

Each class is the settings of one step, as they stand in a configuration; `core()` is what the C++
core takes for it. What steps mean to each other is checked there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from penstock import _core
from penstock._steps import ChainPlace, InputDeclaration, Step, StepFamily, bytes_inputs

__all__ = [
    "IMAGE",
    "CenterCrop",
    "Crop",
    "DecodeImage",
    "ImageStep",
    "Normalize",
    "ReadPixels",
    "Resize",
    "ToTensor",
]

_Byte = Annotated[int, Field(ge=0, le=255)]
_Rgb = tuple[_Byte, _Byte, _Byte]
_Positive = Annotated[int, Field(ge=1)]
_NotNegative = Annotated[int, Field(ge=0)]


class ImageStep(Step):
    def core(self) -> Any:
        """The step of penstock._core that these settings make."""
        raise NotImplementedError


class DecodeImage(ImageStep):
    """A JPEG or PNG file becomes pixels."""

    color: Literal["rgb", "grey"] = "rgb"
    # None drops the alpha channel; a colour is what transparent pixels are laid over.
    alpha_background: _Rgb | None = None
    exif_orientation: bool = True
    # JPEG only: decodes at 1/2, 1/4 or 1/8 where the resize shrinks that far. Quicker, not exact.
    scaled: bool = False
    max_pixels: _Positive = 1 << 24
    max_scans: _Positive = 64
    max_memory_bytes: _Positive = 1 << 26

    def core(self) -> _core.DecodeImageStep:
        return _core.DecodeImageStep(
            grey=self.color == "grey",
            orient=self.exif_orientation,
            composite_alpha=self.alpha_background is not None,
            background=self.alpha_background or (0, 0, 0),
            scaled=self.scaled,
            max_pixels=self.max_pixels,
            max_scans=self.max_scans,
            max_memory_bytes=self.max_memory_bytes,
        )


class ReadPixels(ImageStep):
    """Pixels that were decoded before: uint8 arrays, (height, width, 3) or (height, width)."""

    width: _Positive
    height: _Positive
    color: Literal["rgb", "grey"] = "rgb"

    def core(self) -> _core.ReadPixelsStep:
        return _core.ReadPixelsStep(width=self.width, height=self.height, grey=self.color == "grey")


class Crop(ImageStep):
    """Cuts out a rectangle: of the picture, or after a resize of what it made."""

    x: _NotNegative
    y: _NotNegative
    width: _Positive
    height: _Positive

    def core(self) -> _core.CropStep:
        return _core.CropStep(x=self.x, y=self.y, width=self.width, height=self.height)


class Resize(ImageStep):
    """To width and height, or so that the shorter side has so many pixels."""

    width: _Positive | None = None
    height: _Positive | None = None
    shortest_side: _Positive | None = None
    # Keeps the proportions and fills the rest of width and height with `fill`.
    letterbox: bool = False
    fill: _Rgb = (0, 0, 0)
    filter: Literal["nearest", "box", "area", "bilinear", "bicubic", "lanczos"] = "bilinear"

    @model_validator(mode="after")
    def _one_way(self) -> Resize:
        edges = self.width is not None and self.height is not None
        none = self.width is None and self.height is None
        if edges == (self.shortest_side is not None) or not (edges or none):
            raise ValueError("give width and height, or shortest_side")
        if self.letterbox and not edges:
            raise ValueError("letterbox needs width and height")
        return self

    def core(self) -> _core.ResizeStep:
        mode = "letterbox" if self.letterbox else "exact"
        return _core.ResizeStep(
            mode="shortest_side" if self.shortest_side else mode,
            filter="box" if self.filter == "area" else self.filter,
            width=self.shortest_side or self.width or 0,
            height=self.height or 0,
            fill=self.fill,
        )


class CenterCrop(ImageStep):
    """Cuts out the middle."""

    width: _Positive
    height: _Positive

    def core(self) -> _core.CenterCropStep:
        return _core.CenterCropStep(width=self.width, height=self.height)


class Normalize(ImageStep):
    """(value * scale - mean) / std; mean and std are one number or one for each channel."""

    scale: float = 1 / 255
    mean: float | list[float] = 0.0
    std: float | list[float] = 1.0

    def core(self) -> _core.NormalizeStep:
        return _core.NormalizeStep(
            scale=self.scale, mean=_numbers(self.mean), std=_numbers(self.std)
        )


class ToTensor(ImageStep):
    """The last step: what the tensor is like."""

    datatype: Literal["FP32", "FP16", "UINT8"] = "FP32"
    layout: Literal["CHW", "HWC"] = "CHW"
    order: Literal["rgb", "bgr"] = "rgb"
    # Of a row, where the model wants the same elements in other dimensions, such as [64].
    shape: list[_Positive] | None = None

    def core(self) -> _core.ToTensorStep:
        return _core.ToTensorStep(
            datatype=self.datatype,
            layout=self.layout,
            bgr=self.order == "bgr",
            shape=self.shape or [],
        )


def _compile(steps: Sequence[ImageStep], place: ChainPlace) -> _core.Transform:
    return _core.image_transform([step.core() for step in steps])


def _inputs(steps: Sequence[ImageStep], place: ChainPlace) -> list[InputDeclaration]:
    first = steps[0]
    if not isinstance(first, ReadPixels):
        return bytes_inputs(place)
    shape = (-1, first.height, first.width, *([3] if first.color == "rgb" else []))
    return [InputDeclaration(name=name, datatype="UINT8", shape=shape) for name in place.from_]


IMAGE = StepFamily(
    steps={
        "decode_image": DecodeImage,
        "read_pixels": ReadPixels,
        "crop": Crop,
        "resize": Resize,
        "center_crop": CenterCrop,
        "normalize": Normalize,
        "to_tensor": ToTensor,
    },
    compile=_compile,
    before=True,
    inputs=_inputs,
)


def _numbers(value: float | list[float]) -> list[float]:
    return value if isinstance(value, list) else [value]
