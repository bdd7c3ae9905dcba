"""Pictures to tensors: penstock.preprocess.Pipeline beside Pillow, OpenCV and simplejpeg.

Usage: python -m bench.preprocess_images [--rounds 40]

One thread, calls of all contenders in turn, so that none finds its own data in the caches; medians.
JPEGs of 2.4 bits a pixel become float32 tensors of 3x224x224, antialiased. What ours makes is held
against Pillow's bytes in the same run; a difference is a failure, whatever the times.
"""

from __future__ import annotations

import argparse
import io
import statistics
import struct
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from penstock.errors import InvalidRequestError
from penstock.preprocess import Pipeline
from PIL import Image

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
EDGE = 224
BITS_PER_PIXEL = 2.4
# The same affine map, as one multiplication and one subtraction on planes.
_MEAN_255 = (MEAN * 255).reshape(3, 1, 1)
_SCALE = (1 / (STD * 255)).reshape(3, 1, 1)

Call = Callable[[], Any]
STEPS: list[Any] = [
    {"resize": {"width": EDGE, "height": EDGE}},
    {"normalize": {"mean": MEAN.tolist(), "std": STD.tolist()}},
    {"to_tensor": {}},
]


def make_jpeg(width: int, height: int) -> bytes:
    """Smooth colours under noise, the noise as strong as the bits a pixel ask for."""
    random = np.random.default_rng([width, height])
    patches = random.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC))
    noise = random.normal(0, 1, smooth.shape)
    low, high = 0.0, 64.0
    file = b""
    for _ in range(12):
        strength = (low + high) / 2
        pixels = (smooth + noise * strength).clip(0, 255).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=85)
        file = stream.getvalue()
        if len(file) * 8 < BITS_PER_PIXEL * width * height:
            low = strength
        else:
            high = strength
    return file


def typical(image: Image.Image) -> NDArray[np.float32]:
    """As it is written everywhere."""
    resized = image.resize((EDGE, EDGE), Image.Resampling.BILINEAR)
    pixels = np.asarray(resized, dtype=np.float32) / 255
    return np.ascontiguousarray(((pixels - MEAN) / STD).transpose(2, 0, 1))


def tuned(image: Image.Image) -> NDArray[np.float32]:
    """The quickest form in NumPy that we know: bytes are transposed, floats changed in place."""
    resized = image.resize((EDGE, EDGE), Image.Resampling.BILINEAR)
    tensor = np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1)).astype(np.float32)
    tensor -= _MEAN_255
    tensor *= _SCALE
    return tensor


def finish(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """OpenCV's resize with the best of the NumPy forms."""
    resized = cv2.resize(pixels, (EDGE, EDGE), interpolation=cv2.INTER_AREA)
    tensor = np.ascontiguousarray(resized.transpose(2, 0, 1)).astype(np.float32)
    tensor -= _MEAN_255
    tensor *= _SCALE
    return tensor


def with_pillow(file: bytes, form: Callable[[Image.Image], Any]) -> Any:
    return form(Image.open(io.BytesIO(file)).convert("RGB"))


def with_opencv(file: bytes) -> Any:
    pixels = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
    return finish(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def medians(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Microseconds of each call, one after the other in every round."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(rounds + 3):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            if index >= 3:
                times[name].append((time.perf_counter() - begin) * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def check_bytes(file: bytes) -> int:
    """How far ours is from Pillow, before normalisation."""
    as_bytes: list[Any] = [
        {"decode_image": {}}, STEPS[0], {"to_tensor": {"datatype": "UINT8", "layout": "HWC"}}
    ]  # fmt: skip
    ours = Pipeline(as_bytes)([file])[0].astype(int)
    image = Image.open(io.BytesIO(file)).convert("RGB")
    pillow = np.asarray(image.resize((EDGE, EDGE), Image.Resampling.BILINEAR)).astype(int)
    return int(np.abs(ours - pillow).max())


class Verdicts:
    """Prints ratios with their bounds, and remembers whether all held."""

    def __init__(self) -> None:
        self.held = True

    def say(self, what: str, value: float, bound: float, *, at_most: bool = False) -> None:
        good = value <= bound if at_most else value >= bound
        self.held &= good
        sign = "<=" if at_most else ">="
        print(f"    {what:<52} {value:6.2f}  {sign} {bound}  {'ok' if good else 'MISSED'}")


def bench_files(size: tuple[int, int], rounds: int, verdicts: Verdicts) -> None:
    width, height = size
    file = make_jpeg(width, height)
    out = np.empty((1, 3, EDGE, EDGE), np.float32)
    pixels = np.empty((height, width, 3), np.uint8)
    exact = Pipeline([{"decode_image": {}}, *STEPS])
    scaled = Pipeline([{"decode_image": {"scaled": True}}, *STEPS])
    calls: dict[str, Call] = {
        "penstock": lambda: exact([file], out=out),
        "penstock, scaled decode": lambda: scaled([file], out=out),
        "libjpeg-turbo's decode alone": lambda: simplejpeg.decode_jpeg(file, buffer=pixels),
        # Reads all coefficients, transforms one in 64: what its reading alone costs.
        "libjpeg-turbo at 1/8": lambda: simplejpeg.decode_jpeg(
            file, min_width=1, min_height=1, min_factor=8
        ),
        "Pillow, typical": lambda: with_pillow(file, typical),
        "Pillow, tuned": lambda: with_pillow(file, tuned),
        "OpenCV, INTER_AREA": lambda: with_opencv(file),
        "simplejpeg + INTER_AREA": lambda: finish(simplejpeg.decode_jpeg(file, buffer=pixels)),
    }
    us = medians(calls, rounds)
    print(f"JPEG {width}x{height}, {len(file) * 8 / width / height:.2f} bits a pixel")
    for name, value in us.items():
        print(f"    {name:<40} {value:8.0f} us")
    ours = us["penstock"]
    landscape = width > 1000
    decode = us["libjpeg-turbo's decode alone"]
    verdicts.say("over decode alone", ours / decode, 1.12 if landscape else 1.25, at_most=True)
    verdicts.say("Pillow, typical, over ours", us["Pillow, typical"] / ours, 2.3)
    verdicts.say("OpenCV over ours", us["OpenCV, INTER_AREA"] / ours, 1.6)
    verdicts.say("simplejpeg over ours", us["simplejpeg + INTER_AREA"] / ours, 1.5)
    quick = us["Pillow, typical"] / us["penstock, scaled decode"]
    verdicts.say("Pillow, typical, over ours scaled", quick, 4 if landscape else 3)
    floor = us["Pillow, typical"] / us["libjpeg-turbo at 1/8"]
    print(f"    {'Pillow, typical, over libjpeg-turbo at 1/8':<52} {floor:6.2f}")
    verdicts.say("of 255 from Pillow's bytes", check_bytes(file), 0, at_most=True)
    difference = np.abs(exact([file])[0] - with_pillow(file, typical)).max()
    verdicts.say("from Pillow's floats", float(difference), 1e-5, at_most=True)


def bench_resize(size: tuple[int, int], rounds: int, verdicts: Verdicts) -> None:
    width, height = size
    image = Image.open(io.BytesIO(make_jpeg(width, height))).convert("RGB")
    pixels = np.asarray(image).copy()
    out = np.empty((1, 3, EDGE, EDGE), np.float32)
    pipeline = Pipeline([{"read_pixels": {"width": width, "height": height}}, *STEPS])
    us = medians(
        {
            "ours": lambda: pipeline([pixels], out=out),
            "typical": lambda: typical(image),
            "tuned": lambda: tuned(image),
        },
        rounds * 5,
    )
    print(f"resize + normalise + transpose, {width}x{height} to {EDGE}x{EDGE}")
    for name, value in us.items():
        print(f"    {name:<40} {value:8.0f} us")
    best = min(us["typical"], us["tuned"])
    verdicts.say("the best of Pillow + NumPy over ours", best / us["ours"], 5)
    difference = np.abs(pipeline([pixels])[0] - typical(image)).max()
    verdicts.say("from Pillow's floats", float(difference), 1e-5, at_most=True)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_claiming(edge: int) -> bytes:
    """A PNG that claims a square of so many pixels, and compresses like one."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(8 << 20)))
    return b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b"")


def jpeg_of_scans(count: int) -> bytes:
    """A progressive JPEG whose first scan comes so many times."""
    stream = io.BytesIO()
    Image.open(io.BytesIO(make_jpeg(640, 480))).save(stream, "JPEG", progressive=True)
    file = stream.getvalue()
    first = file.index(b"\xff\xda")
    second = file.index(b"\xff\xda", first + 2)
    return file[:first] + file[first:second] * count + file[second:]


def jpeg_claiming(width: int, height: int) -> bytes:
    """A JPEG whose header claims another size than it has."""
    file = make_jpeg(640, 480)
    at = file.index(b"\xff\xc0") + 5
    return file[:at] + struct.pack(">HH", height, width) + file[at + 4 :]


def bench_bombs(verdicts: Verdicts) -> None:
    stream = io.BytesIO()
    Image.open(io.BytesIO(make_jpeg(1920, 1080))).save(stream, "PNG")
    bombs = {
        "PNG of 50,000 x 50,000": [png_claiming(50_000)],
        "JPEG of 80,000 scans": [jpeg_of_scans(80_000)],
        "headers that lie": [png_claiming(4_000), jpeg_claiming(50_000, 50_000)]
        + [jpeg_claiming(4_096, edge) for edge in range(512, 4_097, 512)],
        "cut at every 64th byte": [
            file[:size]
            for file in (make_jpeg(640, 480), stream.getvalue()[:500_000])
            for size in range(64, len(file) - 1, 64)
        ],
    }
    pipeline = Pipeline([{"decode_image": {}}, *STEPS])
    out = np.empty((1, 3, EDGE, EDGE), np.float32)
    for name, files in bombs.items():
        # Forgets the highest memory use so far, so that what is read below is this one's.
        Path("/proc/self/clear_refs").write_text("5")
        before = memory_mib()
        worst_ms, refused = 0.0, 0
        for file in files:
            begin = time.perf_counter()
            try:
                pipeline([file], out=out)
            except InvalidRequestError:
                refused += 1
            worst_ms = max(worst_ms, (time.perf_counter() - begin) * 1e3)
        print(f"{name}: {refused} of {len(files)} refused")
        verdicts.say("share refused", refused / len(files), 1)
        verdicts.say("ms at most", worst_ms, 50, at_most=True)
        verdicts.say("MiB more than before", memory_mib() - before, 64, at_most=True)


def memory_mib() -> float:
    """The highest resident memory of this process since it was last forgotten."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    verdicts = Verdicts()
    for size in ((640, 480), (1920, 1080)):
        bench_files(size, rounds, verdicts)
    for size in ((640, 480), (480, 640)):
        bench_resize(size, rounds, verdicts)
    bench_bombs(verdicts)
    return 0 if verdicts.held else 1


if __name__ == "__main__":
    sys.exit(main())
