"""What a declared `tokenize` refuses, and the key that it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from penstock.errors import ConfigError
from penstock.preprocess import Pipeline

FILE = {
    "added_tokens": [],
    "normalizer": {"type": "BertNormalizer", "strip_accents": None, "lowercase": True},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": None,
    "padding": {"strategy": {"Fixed": 7}, "pad_id": 1, "pad_to_multiple_of": 2},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "a": 2}},
}
STEP = r"chains\[0\]\.steps\[0\]\.tokenize"


@pytest.fixture
def declare(tmp_path: Path) -> Any:
    """declare(to=..., from_=..., **settings): the pipeline of one chain."""
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(FILE), encoding="utf-8")

    def make(from_: Any = "text", to: Any = "ids", **settings: Any) -> Pipeline:
        step = {"tokenize": {"file": str(path)} | settings}
        return Pipeline([{"from": from_, "to": to, "steps": [step]}])

    return make


def made(pipeline: Pipeline, *texts: str) -> dict[str, Any]:
    return {name: array.tolist() for name, array in pipeline({"text": list(texts)}).items()}


def test_rows_are_as_long_as_the_longest_whatever_the_file_says(declare: Any) -> None:
    assert made(declare(), "a a a") == {"ids": [[2, 2, 2, 1]]}
    assert made(declare(multiple_of=1), "a a a", "a") == {"ids": [[2, 2, 2], [2, 1, 1]]}
    assert made(declare(padding=6), "a") == {"ids": [[2, 1, 1, 1, 1, 1]]}
    assert made(declare(max_length=2), "a a a") == {"ids": [[2, 2]]}


def test_names_stand_for_ids_mask_and_types_unless_told(declare: Any) -> None:
    assert made(declare(to=["x", "y"]), "a") == {"x": [[2, 1]], "y": [[1, 0]]}
    told = declare(to=["x", "y"], outputs=["type_ids", "mask"])
    assert made(told, "a") == {"x": [[0, 0]], "y": [[1, 0]]}


def test_ids_may_be_of_32_bits(declare: Any) -> None:
    assert declare(datatype="INT32")({"text": ["a"]})["ids"].dtype == "int32"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"file": "missing.json"}, rf"{STEP}\.file: .*missing\.json"),
        ({"max_length": -1}, rf"{STEP}\.max_length: .*got -1"),
        ({"truncation": "none"}, rf"{STEP}\.truncation: "),
        ({"padding": 0}, rf"{STEP}\.padding"),
        ({"length": 5}, rf"{STEP}\.length: unknown setting; known are file, max_length"),
        ({"to": ["x"] * 0}, r"\.to: expected a name or a list of names"),
        ({"to": list("wxyz")}, rf"{STEP}: makes 1 to 3 tensors, and `to` names 4"),
        ({"outputs": ["ids", "mask"]}, rf"{STEP}: makes 2 tensors, and `to` names 1"),
        ({"to": ["x", "y"], "outputs": ["ids", "ids"]}, rf"{STEP}\.outputs: each stands once"),
        ({"from_": list("abc")}, rf"{STEP}: takes a text or a pair of them, not 3 inputs"),
        ({"datatype": "FP32"}, rf"{STEP}\.datatype: "),
    ],
)
def test_wrong_setting_is_named(declare: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        declare(**settings)


def test_what_a_file_asks_for_in_vain_is_named(declare: Any, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps(FILE | {"normalizer": {"type": "NFC"}}), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"{STEP}\.file: .*other.json: normalizer\.type: 'NFC'"):
        declare(file=str(path))


def test_template_that_has_no_room_is_refused(declare: Any, tmp_path: Path) -> None:
    template = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 4]}
    path = tmp_path / "other.json"
    path.write_text(json.dumps(FILE | {"post_processor": template}), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"{STEP}: a length of at most 2 has no room"):
        declare(file=str(path), max_length=2)


def test_no_step_follows_it(declare: Any, tmp_path: Path) -> None:
    step = {"tokenize": {"file": str(tmp_path / "tokenizer.json")}}
    with pytest.raises(ConfigError, match=r"steps\[1\]\.tokenize: the ids of the step before it"):
        Pipeline([{"from": "text", "to": "ids", "steps": [step, step]}])
