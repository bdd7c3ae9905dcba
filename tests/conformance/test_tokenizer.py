"""penstock.tokenizer.Tokenizer against HuggingFace's library: every id, mask and type id equal.

`python -m bench.preprocessing.text_check` does the same on the large corpora.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from penstock.errors import InvalidRequestError
from penstock.tokenizer import Tokenizer
from support import texts
from support.made_tokenizers import train_byte_level, train_word_piece

SEED = 20261121
Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def sample() -> list[str]:
    rng = random.Random(SEED)
    return texts.english_lines(8000, rng) + texts.mixed_lines(12000, rng)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, sample: list[str]) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tokenizers")
    paths = {kind: folder / f"{kind}.json" for kind in ("word_piece", "byte_level")}
    train_word_piece(sample[::2], paths["word_piece"])
    train_byte_level(sample[::2], paths["byte_level"])
    return paths


def edited(path: Path, tmp_path: Path, edit: Edit) -> Path:
    document = json.loads(path.read_text(encoding="utf-8"))
    edit(document)
    changed = tmp_path / "tokenizer.json"
    changed.write_text(json.dumps(document), encoding="utf-8")
    return changed


def assert_equal_ids(path: Path, batch: Sequence[str]) -> None:
    ours = Tokenizer.from_file(path)
    theirs = tokenizers.Tokenizer.from_file(str(path))
    for start in range(0, len(batch), 1000):
        part = batch[start : start + 1000]
        made = ours(part)
        lengths = made["attention_mask"].sum(axis=1)
        for text, ids, length, wanted in zip(
            part, made["input_ids"], lengths, theirs.encode_batch_fast(part), strict=True
        ):
            assert ids[:length].tolist() == wanted.ids, repr(text)


KINDS = pytest.mark.parametrize("kind", ["word_piece", "byte_level"])


@KINDS
def test_ids_of_the_sample_equal(kind: str, trained: dict[str, Path], sample: list[str]) -> None:
    assert_equal_ids(trained[kind], sample)


@KINDS
def test_ids_of_random_strings_equal(kind: str, trained: dict[str, Path]) -> None:
    rng = random.Random(SEED)
    for alphabet in (range(0x80), range(0x3100), texts.CODE_POINTS, texts.MARKS, texts.SPACES):
        assert_equal_ids(trained[kind], texts.random_strings(4000, rng, alphabet))
    assert_equal_ids(trained[kind], texts.special_strings(4000, rng))


@KINDS
def test_every_code_point_in_a_word_equals(kind: str, trained: dict[str, Path]) -> None:
    points = texts.CODE_POINTS
    groups = (points[at : at + 64] for at in range(0, len(points), 64))
    assert_equal_ids(trained[kind], ["".join(f"a{chr(c)}b " for c in group) for group in groups])


@pytest.mark.parametrize("stages", list(itertools.product([True, False], repeat=4)))
def test_each_choice_of_berts_stages_equals(
    stages: tuple[bool, ...], trained: dict[str, Path], sample: list[str], tmp_path: Path
) -> None:
    names = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
    path = edited(
        trained["word_piece"],
        tmp_path,
        lambda d: d["normalizer"].update(zip(names, stages, strict=True)),
    )
    rng = random.Random(SEED)
    assert_equal_ids(path, sample[::40])
    assert_equal_ids(path, texts.random_strings(500, rng, range(0x3100)))
    assert_equal_ids(path, texts.random_strings(500, rng, texts.MARKS))


def test_prefix_space_and_stripping_tokens_equal(
    trained: dict[str, Path], sample: list[str], tmp_path: Path
) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["pre_tokenizer"]["add_prefix_space"] = True
        for token, strips in zip(
            document["added_tokens"], ("rstrip", "lstrip", "rstrip"), strict=False
        ):
            token.update({strips: True, "normalized": strips == "lstrip"})

    path = edited(trained["byte_level"], tmp_path, edit)
    rng = random.Random(SEED)
    assert_equal_ids(path, sample[::20])
    assert_equal_ids(path, texts.special_strings(4000, rng))
    assert_equal_ids(path, texts.random_strings(4000, rng, texts.SPACES))


@KINDS
@pytest.mark.parametrize("strategy", ["longest_first", "only_first", "only_second"])
@pytest.mark.parametrize("direction", ["left", "right"])
@pytest.mark.parametrize("length", [12, 13])
def test_pairs_that_are_cut_and_padded_equal(
    kind: str,
    strategy: str,
    direction: str,
    length: int,
    trained: dict[str, Path],
    sample: list[str],
    tmp_path: Path,
) -> None:
    theirs = tokenizers.Tokenizer.from_file(str(trained[kind]))
    theirs.enable_truncation(length, strategy=strategy, direction=direction)
    theirs.enable_padding(direction=direction, pad_id=1, pad_type_id=3, pad_to_multiple_of=8)
    path = tmp_path / "tokenizer.json"
    theirs.save(str(path))
    ours = Tokenizer.from_file(path)
    rng = random.Random(SEED)
    taken = 0
    for _ in range(300):
        first, second = (" ".join(rng.choice(sample).split()[: rng.randint(0, 9)]) for _ in "ab")
        try:
            wanted = theirs.encode(first, second)
        except Exception:  # the library raises no narrower class
            with pytest.raises(InvalidRequestError, match="too many"):
                ours([first], [second])
            continue
        taken += 1
        made = ours([first], [second])
        assert made["input_ids"][0].tolist() == wanted.ids, (first, second)
        assert made["attention_mask"][0].tolist() == wanted.attention_mask
        assert made["token_type_ids"][0].tolist() == wanted.type_ids
    assert taken > 20


@KINDS
@pytest.mark.parametrize("add_special_tokens", [True, False])
def test_type_ids_of_templates_equal(
    kind: str, add_special_tokens: bool, trained: dict[str, Path]
) -> None:
    ours = Tokenizer.from_file(trained[kind], add_special_tokens=add_special_tokens)
    theirs = tokenizers.Tokenizer.from_file(str(trained[kind]))
    for pair in ([], ["the second one"]):
        wanted = theirs.encode("the first", *pair, add_special_tokens=add_special_tokens)
        made = ours(["the first"], pair or None)
        assert made["input_ids"][0].tolist() == wanted.ids
        assert made["token_type_ids"][0].tolist() == wanted.type_ids


def test_batch_of_unequal_rows_is_padded(trained: dict[str, Path]) -> None:
    made = Tokenizer.from_file(trained["word_piece"])(["a", "a b c", ""])
    assert {key: (array.dtype, array.shape) for key, array in made.items()} == {
        key: (np.dtype("int64"), (3, 5))
        for key in ("input_ids", "attention_mask", "token_type_ids")
    }
    assert made["attention_mask"].sum(axis=1).tolist() == [3, 5, 2]
    assert made["input_ids"][0, 3:].tolist() == [0, 0]
