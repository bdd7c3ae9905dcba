"""Sends a scan of a digit to the demo server and prints what the model sees in it.

    make serve                                                   # in one terminal
    python examples/digits/send.py [--scan 0] [--address ...]    # in another; there are 30 scans

The scans are real and were held out of training. Needs penstock-client (and with it NumPy) only.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from penstock_client import Client, PenstockClientError

SAMPLES_PATH = Path(__file__).resolve().parent / "held_out.json"
INK = " .:-=+*#%@"  # from paper to full ink
PIXEL_MAX = 16


def main() -> int:
    samples = json.loads(SAMPLES_PATH.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description="Send a held-out digit to a Penstock server.")
    parser.add_argument("--address", default="127.0.0.1:8001", help="%(default)s")
    parser.add_argument(
        "--scan",
        type=int,
        default=10,
        choices=range(len(samples)),
        metavar="NUMBER",
        help=f"which scan, 0 to {len(samples) - 1} (default %(default)s)",
    )
    arguments = parser.parse_args()

    sample = samples[arguments.scan]
    image = np.array([sample["image"]], np.float32)  # one row of 64 pixels
    try:
        with Client(arguments.address, timeout=10) as client:
            probabilities = client.infer("digits", {"image": image})["probabilities"][0]
    except PenstockClientError as error:
        print(f"{arguments.address}: {error}", file=sys.stderr)
        return 1
    seen = int(probabilities.argmax())
    print(drawn(image[0]))
    print(f"the model sees a {seen} (probability {probabilities[seen]:.3f})")
    print(f"it is a {sample['label']}")
    return 0


def drawn(image: NDArray[np.float32]) -> str:
    """The 64 pixels as 8 lines of text; each pixel twice, since characters are taller than wide."""
    levels = (image / PIXEL_MAX * (len(INK) - 1)).round().astype(int).reshape(8, 8)
    return "\n".join("".join(INK[level] * 2 for level in row) for row in levels)


if __name__ == "__main__":
    sys.exit(main())
