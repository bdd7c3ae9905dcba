"""Files that promise more than they hold, or more than they should: each is refused, and the next
good one is decoded."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from penstock.errors import InvalidRequestError
from penstock.preprocess import Pipeline
from support.pictures import encoded, picture
from support.png_writer import SIGNATURE, chunk, header

PIPELINE = Pipeline(
    [
        {"decode_image": {}},
        {"resize": {"width": 8, "height": 8}},
        {"to_tensor": {"datatype": "UINT8"}},
    ]
)


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND")


def scans(count: int) -> bytes:
    """A progressive JPEG whose first scan is repeated."""
    file = encoded(picture(64, 64), "JPEG", progressive=True)
    first = file.index(b"\xff\xda")
    second = file.index(b"\xff\xda", first + 2)
    return file[:first] + file[first:second] * count + file[second:]


def hidden_scans(count: int) -> bytes:
    """The same, with all scans but the last in what is a segment only to whoever takes its first
    two bytes for a marker. Decoders pass over them, and read what follows."""
    file = scans(count)
    last = file.rindex(b"\xff\xda")
    assert last < 0xFF00
    return file[:2] + b"\xff\x00" + last.to_bytes(2, "big") + file[2:]


def with_size(file: bytes, width: int, height: int) -> bytes:
    """A JPEG whose frame header claims another size."""
    at = file.index(b"\xff\xc0") + 5
    return file[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + file[at + 4 :]


JPEG = encoded(picture(160, 120), "JPEG")
BOMBS = {
    "png_50k": (png(header(50_000, 50_000), chunk(b"IDAT", zlib.compress(bytes(1 << 20)))),
                "PNG of 50000x50000 pixels, the limit is 16777216"),
    "png_2g": (png(header(0x7FFFFFFF, 0x7FFFFFFF)), "the limit is 16777216"),
    "png_edge": (png(header(0xFFFFFFFF, 1)), "edge of more than"),
    "png_empty": (png(header(0, 5)), "it is empty"),
    "png_lying": (png(header(4_000, 4_000), chunk(b"IDAT", zlib.compress(b"\0" * 99))),
                  "cannot hold the 4000x4000 pixels"),
    "png_short": (png(header(300, 300), chunk(b"IDAT", zlib.compress(bytes(9_000)))),
                  "broken PNG"),
    "png_checksum": (png(header(2, 2)[:-1] + b"x", chunk(b"IDAT", zlib.compress(bytes(14)))),
                     "broken PNG"),
    "png_no_header": (png(chunk(b"IDAT", b"")), "it has no header"),
    "jpeg_50k": (with_size(JPEG, 50_000, 50_000), "JPEG of 50000x50000 pixels, the limit is"),
    "jpeg_lying": (with_size(JPEG, 4_000, 4_000), "cannot hold the 4000x4000 pixels"),
    # Few enough for the bytes that it has, and yet more than they hold.
    "jpeg_longer": (with_size(JPEG, 160, 600), "broken JPEG: Corrupt JPEG data: premature end"),
    "jpeg_empty": (with_size(JPEG, 0, 120), "broken JPEG"),
    "jpeg_80k_scans": (scans(80_000), "scans, the limit is 64 (max_scans)"),
    "jpeg_65_scans": (scans(65), "scans, the limit is 64 (max_scans)"),
    "jpeg_65_hidden_scans": (hidden_scans(65), "no picture data follow its headers"),
    "nothing": (b"", "neither a JPEG nor a PNG file: 0 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_refused(name: str) -> None:
    file, message = BOMBS[name]
    with pytest.raises(InvalidRequestError) as raised:
        PIPELINE([file])
    assert message in str(raised.value)
    assert PIPELINE([JPEG]).any()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "progressive JPEG"])
def test_file_cut_short_is_refused_at_every_length(kind: str) -> None:
    progressive = {"progressive": True} if kind.startswith("progressive") else {}
    file = encoded(picture(200, 150), kind.split()[-1], **progressive)
    for size in range(0, len(file) - 1, 64):
        with pytest.raises(InvalidRequestError):
            PIPELINE([file[:size]])
    assert PIPELINE([file]).any()


def test_compressed_text_is_never_inflated() -> None:
    bomb = zlib.compress(bytes(64 << 20), 9)
    file = encoded(picture(10, 10))
    end = file.index(b"IDAT") - 4
    text = chunk(b"zTXt", b"a\0\0" + bomb) + chunk(b"iCCP", b"a\0\0" + bomb)
    np.testing.assert_array_equal(PIPELINE([file[:end] + text + file[end:]]), PIPELINE([file]))


def test_limits_are_settings() -> None:
    file = encoded(picture(100, 100), "JPEG")
    for limit, message in (
        ({"max_pixels": 9_999}, "100x100 pixels, the limit is 9999 (max_pixels)"),
        ({"max_memory_bytes": 29_999}, "needs 30000 bytes to decode, the limit is 29999"),
    ):
        pipeline = Pipeline(
            [{"decode_image": limit}, {"resize": {"width": 4, "height": 4}}, {"to_tensor": {}}]
        )
        with pytest.raises(InvalidRequestError) as raised:
            pipeline([file])
        assert message in str(raised.value)


def test_progressive_memory_counts_its_coefficients() -> None:
    stream = io.BytesIO()
    picture(1_000, 1_000).save(stream, "JPEG", progressive=True, subsampling="4:4:4")
    pipeline = Pipeline(
        [
            {"decode_image": {"max_memory_bytes": 8_000_000}},
            {"resize": {"width": 4, "height": 4}},
            {"to_tensor": {}},
        ]
    )
    with pytest.raises(InvalidRequestError, match="needs 9000000 bytes to decode"):
        pipeline([stream.getvalue()])
