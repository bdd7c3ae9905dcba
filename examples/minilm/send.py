"""Sends sentences to a server of `models` and prints how alike their embeddings are.

    make && penstock serve models                       # in one terminal
    python send.py ["A sentence." "Another one." ...]   # in another
    python send.py --check                              # the texts of expected.json, compared

Needs penstock-client (and with it NumPy) only.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from penstock_client import Client, PenstockClientError

EXPECTED_PATH = Path(__file__).resolve().parent / "expected.json"
COSINE_MIN = 0.9999
SENTENCES = (
    "The cat sleeps on the warm windowsill.",
    "A kitten is napping by the window.",
    "The central bank raised interest rates again.",
    "Borrowing money has become more expensive.",
)


def main() -> int:
    parser = argparse.ArgumentParser(description="Send sentences to a Penstock server.")
    parser.add_argument("sentences", nargs="*", default=SENTENCES, help="two or more")
    parser.add_argument("--address", default="127.0.0.1:8001", help="%(default)s")
    parser.add_argument("--check", action="store_true", help="send and compare expected.json")
    arguments = parser.parse_args()
    try:
        with Client(arguments.address, timeout=30) as client:
            if arguments.check:
                return check(client)
            print_likeness(arguments.sentences, embed(client, arguments.sentences))
    except PenstockClientError as error:
        print(f"{arguments.address}: {error}", file=sys.stderr)
        return 1
    return 0


def embed(client: Client, texts: list[str]) -> NDArray[Any]:
    """Of each text 384 numbers of length 1."""
    return client.infer("minilm", {"text": np.array(texts, object)})["embedding"]


def print_likeness(sentences: list[str], embeddings: NDArray[Any]) -> None:
    for number, sentence in enumerate(sentences):
        print(f"{number}: {sentence}")
    print("\ncosine similarity")
    print("   " + "".join(f"{number:>7}" for number in range(len(sentences))))
    for number, row in enumerate(embeddings @ embeddings.T):
        print(f"{number:>3}" + "".join(f"{value:7.2f}" for value in row))


def check(client: Client) -> int:
    expected = json.loads(EXPECTED_PATH.read_text(encoding="utf-8"))
    wanted = np.array([entry["embedding"] for entry in expected], np.float32)
    got = embed(client, [entry["text"] for entry in expected])
    cosines = (got * wanted).sum(axis=1) / np.linalg.norm(got, axis=1)
    cosines /= np.linalg.norm(wanted, axis=1)
    print(f"{len(expected)} texts; the least cosine to what is expected: {cosines.min():.6f}")
    return 0 if cosines.min() >= COSINE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
