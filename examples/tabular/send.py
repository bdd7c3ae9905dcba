"""Sends rows of a table, texts and gaps among them, and compares the answers with scikit-learn's.

    penstock serve examples/tabular/models                    # in one terminal
    python examples/tabular/send.py [--address ...]           # in another

The rows of held_out.json were held out of training. Needs penstock-client (and with it NumPy) only.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from penstock_client import Client, PenstockClientError

SAMPLES_PATH = Path(__file__).resolve().parent / "held_out.json"
# The trees compare numbers of 32 bits, as scikit-learn's do; their sums differ in the last bits.
TOLERANCE = 1e-5


def main() -> int:
    parser = argparse.ArgumentParser(description="Send rows of a table to a Penstock server.")
    parser.add_argument("--address", default="127.0.0.1:8001", help="%(default)s")
    arguments = parser.parse_args()
    samples = json.loads(SAMPLES_PATH.read_text(encoding="utf-8"))
    rows = [sample["row"] for sample in samples]  # a DataFrame would do as well
    try:
        with Client(arguments.address, timeout=10) as client:
            seen = client.infer("diabetes", rows)["probabilities"][:, 1]
    except PenstockClientError as error:
        print(f"{arguments.address}: {error}", file=sys.stderr)
        return 1
    expected = np.array([sample["probability"] for sample in samples])
    for sample, probability in zip(samples, seen, strict=True):
        row = sample["row"]
        patient = (
            f"{row['age']:.0f} years, bmi {row['bmi']:.1f}, {row['region'] or 'region unknown'}"
        )
        went = "went further" if sample["went_further"] else "did not go further"
        print(f"{patient}: {probability:.3f} that it goes further; it {went}")
    off = float(np.abs(seen - expected).max())
    print(f"{len(samples)} rows, at most {off:.1e} from scikit-learn's predict_proba")
    return 0 if off <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
