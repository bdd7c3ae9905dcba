"""penstock.preprocess: what a declaration that cannot work is answered with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import polars
import pytest
from penstock.errors import ConfigError, InvalidRequestError
from penstock.preprocess import Pipeline
from support.pictures import encoded, picture

DECODE: dict[str, Any] = {"decode_image": {}}
RESIZE: dict[str, Any] = {"resize": {"width": 8, "height": 6}}
TENSOR: dict[str, Any] = {"to_tensor": {}}


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([], "steps: there is no step"),
        ("decode_image", "steps: expected a list of steps, got str"),
        ([DECODE, RESIZE], "steps[1].resize: the steps must end with to_tensor"),
        ([RESIZE, TENSOR], "steps[0].resize: decode_image or read_pixels must come first"),
        ([DECODE, DECODE, TENSOR], "steps[1].decode_image: the picture was decoded before"),
        ([DECODE, RESIZE, RESIZE, TENSOR], "steps[2].resize: the picture is resized before"),
        ([DECODE, TENSOR, RESIZE], "steps[1].to_tensor: the tensor's size would depend"),
        ([DECODE, RESIZE, TENSOR, RESIZE], "steps[3].resize: to_tensor must be the last step"),
        ([DECODE, {"blur": {}}], "steps[1]: unknown step 'blur'; known: decode_image, read_pixels"),
        ([DECODE, {"resize": {"width": 8}}], "steps[1].resize: give width and height, or"),
        (
            [DECODE, {"resize": {"width": 8, "height": 6, "filter": "sharp"}}],
            "steps[1].resize.filter: Input should be",
        ),
        (
            [DECODE, RESIZE, {"normalize": {"mean": [1, "x", 2]}}, TENSOR],
            "steps[2].normalize.mean[1]: Input should be a valid number, unable to parse string",
        ),
        ([DECODE, {"resize": {"widht": 8}}], "steps[1].resize.widht: unknown setting; known are"),
        (
            [DECODE, {"resize": {"width": 8, "height": 99_999}}, TENSOR],
            "steps[1].resize: width and height must be 1 to 16384, not 8 and 99999",
        ),
        (
            [DECODE, RESIZE, {"center_crop": {"width": 9, "height": 6}}, TENSOR],
            "steps[2].center_crop: it needs 9x6 pixels of a picture of 8x6",
        ),
        (
            [DECODE, RESIZE, {"normalize": {"mean": [1, 2]}}, TENSOR],
            "steps[2].normalize: mean and std need 1 or 3 numbers, not 2",
        ),
        (
            [DECODE, RESIZE, {"normalize": {"std": 0}}, TENSOR],
            "steps[2].normalize: scale, mean and std must be finite and std not 0",
        ),
        (
            [DECODE, RESIZE, {"normalize": {}}, {"to_tensor": {"datatype": "UINT8"}}],
            "steps[3].to_tensor: UINT8 cannot hold normalised values",
        ),
        (
            [
                {"decode_image": {"scaled": True}},
                {"crop": {"x": 0, "y": 0, "width": 4, "height": 4}},
            ],
            "steps[1].crop: a crop before the resize needs every pixel",
        ),
    ],
)
def test_config_that_cannot_work_names_the_step(steps: Any, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Pipeline(steps)
    assert str(raised.value).startswith(message)


def test_pipeline_tells_its_tensor() -> None:
    pipeline = Pipeline([DECODE, RESIZE, {"to_tensor": {"datatype": "FP16", "layout": "HWC"}}])
    assert pipeline.datatype == "FP16"
    assert pipeline.row_shape == (6, 8, 3)


def test_out_is_written_and_returned() -> None:
    pipeline = Pipeline([DECODE, RESIZE, TENSOR])
    files = [encoded(picture(30, 20, seed=seed)) for seed in range(3)]
    out = np.full((3, 3, 6, 8), -1, np.float32)
    assert pipeline(files, out=out) is out
    np.testing.assert_array_equal(out, pipeline(tuple(memoryview(file) for file in files)))
    assert pipeline([]).shape == (0, 3, 6, 8)


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros((1, 3, 6, 9), np.float32), ValueError, "out: expected float32 of shape"),
        (np.zeros((1, 3, 6, 8), np.float64), ValueError, "out: expected float32 of shape"),
        (np.zeros((1, 3, 6, 16), np.float32)[..., ::2], ValueError, "C-contiguous"),
        ([[1.0]], TypeError, "out: expected a numpy array, got list"),
    ],
)
def test_out_of_another_kind_is_refused(out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Pipeline([DECODE, RESIZE, TENSOR])([encoded(picture(30, 20))], out=out)


def test_batch_that_is_no_list_of_bytes_is_refused() -> None:
    pipeline = Pipeline([DECODE, RESIZE, TENSOR])
    with pytest.raises(TypeError, match="batch: expected a sequence of bytes"):
        pipeline(encoded(picture(30, 20)))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="row 0: expected bytes, got str"):
        pipeline(["x"])  # type: ignore[list-item]


def test_pixels_are_read_in_place() -> None:
    image = np.asarray(picture(31, 21))
    decoded = Pipeline([DECODE, RESIZE, TENSOR])([encoded(picture(31, 21))])
    pipeline = Pipeline([{"read_pixels": {"width": 31, "height": 21}}, RESIZE, TENSOR])
    np.testing.assert_array_equal(pipeline([image.copy()]), decoded)
    with pytest.raises(InvalidRequestError, match="30 bytes of pixels, 31x21 of 3 channels need"):
        pipeline([bytes(30)])


def test_pixels_of_a_known_size_are_held_against_the_crop() -> None:
    crop = {"crop": {"x": 0, "y": 0, "width": 5, "height": 3}}
    with pytest.raises(ConfigError, match="does not fit into the picture, 4x4 there"):
        Pipeline([{"read_pixels": {"width": 4, "height": 4}}, crop, TENSOR])


def test_row_that_fails_is_named() -> None:
    pipeline = Pipeline([DECODE, RESIZE, TENSOR])
    with pytest.raises(InvalidRequestError, match=r"^row 1: neither a JPEG nor a PNG file"):
        pipeline([encoded(picture(30, 20)), b"GIF89"])


def test_chains_take_tables_as_they_take_lists() -> None:
    pipeline = Pipeline([{"from": "photo", "to": "x", "steps": [DECODE, RESIZE, TENSOR]}])
    files = [encoded(picture(30, 20)), encoded(picture(20, 30))]
    expected = Pipeline([DECODE, RESIZE, TENSOR])(files)
    columns = {"photo": files}
    for table in (columns, pandas.DataFrame(columns), polars.DataFrame(columns)):
        np.testing.assert_array_equal(pipeline(table)["x"], expected)
    np.testing.assert_array_equal(pipeline([{"photo": file} for file in files])["x"], expected)
    with pytest.raises(ValueError, match="a table with named columns is needed, not list"):
        pipeline(files)
    with pytest.raises(TypeError, match="expected a sequence of bytes"):
        Pipeline([DECODE, RESIZE, TENSOR])(columns)
