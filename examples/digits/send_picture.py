"""Sends the picture of a digit to the demo server and prints what the model sees in it.

    make serve                                                             # in one terminal
    python examples/digits/send_picture.py [PICTURE] [--address ...]       # in another

PICTURE is a PNG or JPEG of one digit, dark on light, that fills it. The file is sent as it is: the
server decodes it. Needs penstock-client (and with it NumPy) only.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from penstock_client import Client, PenstockClientError

DEFAULT_PATH = Path(__file__).resolve().parent / "seven.png"


def main() -> int:
    parser = argparse.ArgumentParser(description="Send the picture of a digit to Penstock.")
    parser.add_argument("picture", nargs="?", type=Path, default=DEFAULT_PATH, help="%(default)s")
    parser.add_argument("--address", default="127.0.0.1:8001", help="%(default)s")
    arguments = parser.parse_args()

    try:
        pictures = np.array([arguments.picture.read_bytes()], object)  # one row
        with Client(arguments.address, timeout=10) as client:
            answer = client.infer("digit_pictures", {"picture": pictures})
    except OSError as error:
        print(f"{arguments.picture}: {error.strerror}", file=sys.stderr)
        return 1
    except PenstockClientError as error:
        print(f"{arguments.address}: {error}", file=sys.stderr)
        return 1
    probabilities = answer["probabilities"][0]
    seen = int(probabilities.argmax())
    print(f"the model sees a {seen} (probability {probabilities[seen]:.3f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
