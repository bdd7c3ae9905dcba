"""Decoding and resizing give Pillow's bytes: 0 of 255 apart, whatever the filter, the format and
the proportions. Lossless files where the resize is on trial, so that no codec takes part."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from penstock.preprocess import Pipeline
from PIL import Image, ImageOps
from support.pictures import encoded, picture
from support.png_writer import interlaced

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
BYTES = {"datatype": "UINT8", "layout": "HWC"}


def run(file: bytes, *steps: dict[str, Any], **decode: Any) -> np.ndarray:
    """One file through decode, the steps and a tensor of bytes, as Pillow lays pictures out."""
    pipeline = Pipeline([{"decode_image": decode}, *steps, {"to_tensor": BYTES}])
    return pipeline([file])[0]


def opened(file: bytes, mode: str = "RGB") -> Image.Image:
    image = Image.open(io.BytesIO(file)).convert(mode)
    return image


def as_array(image: Image.Image) -> np.ndarray:
    array = np.asarray(image)
    return array[:, :, None] if array.ndim == 2 else array


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(
    "size",
    [
        ((640, 480), (224, 224)),
        ((480, 640), (224, 224)),
        ((1920, 1080), (224, 224)),
        ((300, 1200), (224, 224)),  # so tall that the vertical pass goes first
        ((90, 50), (224, 224)),
        ((641, 33), (7, 99)),
        ((3, 2), (17, 5)),
        ((1, 1), (4, 4)),
    ],
    ids=str,
)
def test_resize_gives_pillows_bytes(name: str, size: Any) -> None:
    source, (width, height) = size
    image = picture(*source)
    expected = as_array(image.resize((width, height), FILTERS[name]))
    resize = {"width": width, "height": height, "filter": name}
    np.testing.assert_array_equal(run(encoded(image), {"resize": resize}), expected)


@pytest.mark.parametrize("seed", range(40))
def test_resize_of_any_proportions_gives_pillows_bytes(seed: int) -> None:
    random = np.random.default_rng(seed)
    width, height = (int(edge) for edge in random.integers(1, 500, 2))
    new_width, new_height = (int(edge) for edge in random.integers(1, 400, 2))
    name = list(FILTERS)[seed % len(FILTERS)]
    mode = "RGB" if seed % 4 else "L"
    image = picture(width, height, mode, seed)
    expected = as_array(image.resize((new_width, new_height), FILTERS[name]))
    resize = {"width": new_width, "height": new_height, "filter": name}
    color = "rgb" if mode == "RGB" else "grey"
    actual = run(encoded(image), {"resize": resize}, color=color)
    np.testing.assert_array_equal(actual, expected, err_msg=f"seed {seed}")


@pytest.mark.parametrize("size", [(640, 480), (427, 640), (300, 1200)], ids=str)
def test_shortest_side_and_centre_crop_give_pillows_bytes(size: tuple[int, int]) -> None:
    image = picture(*size)
    width, height = size
    resized = (256, 256 * height // width) if width <= height else (256 * width // height, 256)
    left, top = (round((edge - 224) / 2) for edge in resized)
    expected = image.resize(resized, FILTERS["bicubic"]).crop((left, top, left + 224, top + 224))
    actual = run(
        encoded(image),
        {"resize": {"shortest_side": 256, "filter": "bicubic"}},
        {"center_crop": {"width": 224, "height": 224}},
    )
    np.testing.assert_array_equal(actual, as_array(expected))


@pytest.mark.parametrize("size", [(640, 480), (200, 900)], ids=str)
def test_crops_before_and_after_give_pillows_bytes(size: tuple[int, int]) -> None:
    image = picture(*size)
    cropped = image.crop((30, 20, 180, 420)).resize((100, 90), FILTERS["lanczos"])
    actual = run(
        encoded(image),
        {"crop": {"x": 30, "y": 20, "width": 150, "height": 400}},
        {"resize": {"width": 100, "height": 90, "filter": "lanczos"}},
        {"crop": {"x": 11, "y": 7, "width": 60, "height": 50}},
    )
    np.testing.assert_array_equal(actual, as_array(cropped.crop((11, 7, 71, 57))))


@pytest.mark.parametrize("size", [(640, 480), (480, 641), (100, 100)], ids=str)
def test_letterbox_is_pillows_contain_on_the_fill(size: tuple[int, int]) -> None:
    image = picture(*size)
    contained = ImageOps.contain(image, (320, 200), FILTERS["bilinear"])
    expected = Image.new("RGB", (320, 200), (114, 10, 20))
    expected.paste(contained, ((320 - contained.width) // 2, (200 - contained.height) // 2))
    resize = {"width": 320, "height": 200, "letterbox": True, "fill": (114, 10, 20)}
    np.testing.assert_array_equal(run(encoded(image), {"resize": resize}), as_array(expected))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("color", ["rgb", "grey"])
def test_png_of_every_mode_gives_pillows_bytes(mode: str, color: str) -> None:
    image = picture(97, 61, "L" if mode == "1" else mode)
    file = encoded(image.convert("1") if mode == "1" else image)
    resize = {"width": 97, "height": 61}
    expected = opened(file, "RGB" if color == "rgb" else "L")
    actual = run(file, {"resize": resize}, color=color)
    # Pillow weighs the palette's colours with other rounding than pixels of three channels.
    tolerance = 1 if mode == "P" and color == "grey" else 0
    np.testing.assert_allclose(actual.astype(int), as_array(expected).astype(int), 0, tolerance)


def test_png_of_16_bits_gives_the_high_bytes() -> None:
    values = np.random.default_rng(5).integers(0, 65536, (40, 50), dtype=np.uint16)
    file = encoded(Image.fromarray(values))
    actual = run(file, {"resize": {"width": 50, "height": 40}}, color="grey")
    np.testing.assert_array_equal(actual[:, :, 0], values >> 8)


def test_png_interlaced_equals_the_plain_one() -> None:
    image = picture(45, 30)
    resize = {"resize": {"width": 45, "height": 30}}
    np.testing.assert_array_equal(run(interlaced(image), resize), as_array(image))


def test_alpha_over_a_background_is_pillows_paste_within_one() -> None:
    image = picture(80, 60, "RGBA")
    expected = Image.new("RGBA", image.size, (10, 200, 30, 255))
    expected.alpha_composite(image)
    actual = run(
        encoded(image), {"resize": {"width": 80, "height": 60}}, alpha_background=(10, 200, 30)
    )
    difference = actual.astype(int) - as_array(expected.convert("RGB")).astype(int)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_orientation_is_pillows(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = encoded(picture(64, 40), kind, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
    width, height = expected.size
    resize = {"resize": {"width": width, "height": height}}
    np.testing.assert_array_equal(run(file, resize), as_array(expected))
    unturned = {"resize": {"width": 64, "height": 40}}
    np.testing.assert_array_equal(
        run(file, unturned, exif_orientation=False), as_array(opened(file))
    )


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("color", ["rgb", "grey"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_of_every_mode_gives_pillows_bytes(mode: str, color: str, progressive: bool) -> None:
    file = encoded(picture(333, 222, mode), "JPEG", quality=90, progressive=progressive)
    image = opened(file) if mode == "CMYK" else Image.open(io.BytesIO(file))
    expected = image.convert("RGB" if color == "rgb" else "L")
    actual = run(file, {"resize": {"width": 333, "height": 222}}, color=color)
    np.testing.assert_array_equal(actual, as_array(expected))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize(
    "size", [(640, 480), (480, 640), (341, 257), (1201, 901), (1600, 450)], ids=str
)
def test_jpeg_resized_gives_pillows_bytes(subsampling: str, size: tuple[int, int]) -> None:
    file = encoded(picture(*size), "JPEG", quality=80, subsampling=subsampling)
    expected = opened(file).resize((224, 224), FILTERS["bilinear"])
    actual = run(file, {"resize": {"width": 224, "height": 224}})
    np.testing.assert_array_equal(actual, as_array(expected))


def test_jpeg_scaled_decode_is_close_to_the_exact_one() -> None:
    smooth = picture(40, 30).resize((1280, 960), FILTERS["bicubic"])
    file = encoded(smooth, "JPEG", quality=95)
    resize = {"resize": {"width": 224, "height": 168}}
    exact = run(file, resize).astype(int)
    scaled = run(file, resize, scaled=True).astype(int)
    assert 0 < np.abs(exact - scaled).max() <= 8


def test_normalised_floats_are_the_declared_arithmetic() -> None:
    image = picture(120, 90)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    steps = [
        {"decode_image": {}},
        {"resize": {"width": 50, "height": 40}},
        {"normalize": {"mean": mean, "std": std}},
    ]
    pixels = as_array(image.resize((50, 40), FILTERS["bilinear"]))
    expected = (pixels / 255 - mean) / std
    channels_last = Pipeline([*steps, {"to_tensor": {"layout": "HWC"}}])([encoded(image)])
    np.testing.assert_allclose(channels_last[0], expected, rtol=0, atol=1e-6)
    planes = Pipeline([*steps, {"to_tensor": {}}])([encoded(image)])
    np.testing.assert_array_equal(planes[0], channels_last[0].transpose(2, 0, 1))
    halves = Pipeline([*steps, {"to_tensor": {"datatype": "FP16"}}])([encoded(image)])
    np.testing.assert_array_equal(halves, planes.astype(np.float16))


def test_bgr_reverses_the_channels() -> None:
    image = picture(30, 20)
    steps = [{"decode_image": {}}, {"resize": {"width": 30, "height": 20}}]
    actual = Pipeline([*steps, {"to_tensor": {**BYTES, "order": "bgr"}}])([encoded(image)])
    np.testing.assert_array_equal(actual[0], as_array(image)[:, :, ::-1])


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_large_jpeg_cropped_and_shrunk_gives_pillows_bytes(mode: str) -> None:
    file = encoded(picture(1900, 1300, mode), "JPEG", progressive=mode == "L")
    image = opened(file).resize((70, 47), FILTERS["box"]).crop((9, 20, 59, 45))
    actual = run(
        file,
        {"resize": {"width": 70, "height": 47, "filter": "box"}},
        {"crop": {"x": 9, "y": 20, "width": 50, "height": 25}},
    )
    np.testing.assert_array_equal(actual, as_array(image))
