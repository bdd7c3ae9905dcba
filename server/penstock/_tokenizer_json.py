"""Reads HuggingFace's tokenizer.json into the tables of the core. PURE.

What a file asks for and the core does not have is refused with the place in the file: ids that are
nearly right would be worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock._tokenizer_spec import (
    AddedToken,
    ByteLevelBpe,
    Padding,
    Part,
    Strategy,
    WordPiece,
)
from penstock.errors import ConfigError

__all__ = ["TokenizerFile", "read_tokenizer"]

_Json = Mapping[str, Any]

_STRATEGIES: dict[str, Strategy] = {
    "LongestFirst": "longest_first",
    "OnlyFirst": "only_first",
    "OnlySecond": "only_second",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerFile:
    """What a tokenizer.json says. Templates are with and without special tokens."""

    added_tokens: list[AddedToken]
    model: WordPiece | ByteLevelBpe
    templates: dict[bool, tuple[list[Part], list[Part]]]
    length_max: int
    truncation: Strategy
    truncate_left: bool
    padding: Padding


def read_tokenizer(document: object) -> TokenizerFile:
    """Raises ConfigError that begins with the JSON path of what is wrong or not supported."""
    root = _object(document, "$")
    model_json = _object(root.get("model"), "model")
    is_bpe = _type_of_model(model_json) == "BPE"
    model = _byte_level(root, model_json) if is_bpe else _word_piece(root, model_json)
    truncation = root.get("truncation")
    limit = _object(truncation, "truncation") if truncation is not None else {}
    strategy = limit.get("strategy", "LongestFirst")
    if strategy not in _STRATEGIES:
        raise _refuse("truncation.strategy", strategy, _STRATEGIES)
    return TokenizerFile(
        added_tokens=_added_tokens(root),
        model=model,
        templates=_templates(root.get("post_processor"), "post_processor"),
        length_max=_integer(limit.get("max_length", 0), "truncation.max_length"),
        truncation=_STRATEGIES[strategy],
        truncate_left=_is_left(limit, "truncation"),
        padding=_padding(root),
    )


def _refuse(path: str, found: object, known: object) -> ConfigError:
    expected = ", ".join(map(str, known)) if isinstance(known, Mapping | tuple) else str(known)
    return ConfigError(f"{path}: {found!r} is not supported; supported: {expected}")


def _object(value: object, path: str) -> _Json:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{path}: expected an object, got {type(value).__name__}")
    return value


def _list(value: object, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"{path}: expected a list, got {type(value).__name__}")
    return value


def _integer(value: object, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32 - 1:
        raise ConfigError(f"{path}: expected an integer from 0 on, got {value!r}")
    return value


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{path}: expected a string, got {value!r}")
    return value


def _flag(holder: _Json, key: str, default: bool, path: str) -> bool:
    value = holder.get(key, default)
    if not isinstance(value, bool):
        raise ConfigError(f"{path}.{key}: expected true or false, got {value!r}")
    return value


def _stage(root: _Json, key: str, known: str) -> _Json:
    stage = _object(root.get(key), key)
    if stage.get("type") != known:
        raise _refuse(f"{key}.type", stage.get("type"), known)
    return stage


def _demand(holder: _Json, path: str, **allowed: tuple[object, ...]) -> None:
    """The settings whose other values the core does not have; a missing one is fine."""
    for key, values in allowed.items():
        value = holder.get(key, values[0])
        if value not in values:
            raise _refuse(f"{path}.{key}", value, values)


def _type_of_model(model: _Json) -> str:
    kind = model.get("type")
    if kind is None:  # files of older versions
        kind = "BPE" if "merges" in model else "WordPiece"
    if kind not in ("BPE", "WordPiece"):
        raise _refuse("model.type", kind, ("WordPiece", "BPE"))
    return str(kind)


def _vocabulary(model: _Json) -> dict[str, int]:
    vocabulary = _object(model.get("vocab"), "model.vocab")
    return {word: _integer(i, f"model.vocab[{word!r}]") for word, i in vocabulary.items()}


def _word_piece(root: _Json, model: _Json) -> WordPiece:
    normalizer = _stage(root, "normalizer", "BertNormalizer")
    _stage(root, "pre_tokenizer", "BertPreTokenizer")
    vocabulary = _vocabulary(model)
    unknown = _text(model.get("unk_token"), "model.unk_token")
    if unknown not in vocabulary:
        raise ConfigError(f"model.unk_token: {unknown!r} is not in model.vocab")
    lowercase = _flag(normalizer, "lowercase", True, "normalizer")
    # Where nothing is said, accents go with upper case.
    strip = normalizer.get("strip_accents")
    return WordPiece(
        clean_text=_flag(normalizer, "clean_text", True, "normalizer"),
        handle_chinese_chars=_flag(normalizer, "handle_chinese_chars", True, "normalizer"),
        strip_accents=lowercase
        if strip is None
        else _flag(normalizer, "strip_accents", True, "normalizer"),
        lowercase=lowercase,
        words=[(word.encode(), i) for word, i in vocabulary.items()],
        continuing_prefix=_text(
            model.get("continuing_subword_prefix", "##"), "model.continuing_subword_prefix"
        ),
        unknown_id=vocabulary[unknown],
        characters_max=_integer(
            model.get("max_input_chars_per_word", 100), "model.max_input_chars_per_word"
        ),
    )


def _byte_level(root: _Json, model: _Json) -> ByteLevelBpe:
    if root.get("normalizer") is not None:
        raise _refuse("normalizer", root["normalizer"], "null with byte-level BPE")
    splitter = _stage(root, "pre_tokenizer", "ByteLevel")
    _demand(splitter, "pre_tokenizer", use_regex=(True,))
    _demand(
        model,
        "model",
        dropout=(None, 0),
        unk_token=(None,),
        continuing_subword_prefix=(None, ""),
        end_of_word_suffix=(None, ""),
        byte_fallback=(False,),
        ignore_merges=(False, None),
    )
    vocabulary = _vocabulary(model)
    merges = []
    for index, merge in enumerate(_list(model.get("merges"), "model.merges")):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        try:
            left, right = pair
            merges.append((vocabulary[left], vocabulary[right], vocabulary[left + right]))
        except (KeyError, TypeError, ValueError):
            message = f"{merge!r} is no pair of words whose sum is in model.vocab"
            raise ConfigError(f"model.merges[{index}]: {message}") from None
    to_byte = _byte_alphabet()
    # A word with other characters, such as an added token's, comes from no bytes.
    words = [
        (bytes(to_byte[c] for c in word), i)
        for word, i in vocabulary.items()
        if to_byte.keys() >= set(word)
    ]
    return ByteLevelBpe(
        add_prefix_space=_flag(splitter, "add_prefix_space", True, "pre_tokenizer"),
        words=words,
        merges=merges,
    )


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's names of the bytes: printed characters themselves, others from U+0100 on."""
    printed = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printed]
    return {chr(byte): byte for byte in printed} | {
        chr(0x100 + index): byte for index, byte in enumerate(others)
    }


def _added_tokens(root: _Json) -> list[AddedToken]:
    tokens = []
    for index, entry in enumerate(_list(root.get("added_tokens") or [], "added_tokens")):
        path = f"added_tokens[{index}]"
        token = _object(entry, path)
        _demand(token, path, single_word=(False,))
        normalized = _flag(token, "normalized", False, path)
        if normalized and root.get("normalizer") is not None:
            raise _refuse(f"{path}.normalized", True, "false where there is a normalizer")
        tokens.append(
            AddedToken(
                content=_text(token.get("content"), f"{path}.content"),
                id=_integer(token.get("id"), f"{path}.id"),
                lstrip=_flag(token, "lstrip", False, path),
                rstrip=_flag(token, "rstrip", False, path),
                normalized=normalized,
            )
        )
    return tokens


def _is_left(holder: _Json, path: str) -> bool:
    direction = holder.get("direction", "Right")
    if direction not in ("Left", "Right"):
        raise _refuse(f"{path}.direction", direction, ("Left", "Right"))
    return bool(direction == "Left")


def _padding(root: _Json) -> Padding:
    if root.get("padding") is None:
        named = {token["content"]: token["id"] for token in root.get("added_tokens") or []}
        return Padding(id=named.get("[PAD]", named.get("<pad>", 0)))
    padding = _object(root["padding"], "padding")
    strategy = padding.get("strategy", "BatchLongest")
    length = 0
    if strategy != "BatchLongest":
        fixed = strategy.get("Fixed") if isinstance(strategy, Mapping) else None
        if fixed is None:
            raise _refuse("padding.strategy", strategy, ("BatchLongest", "Fixed"))
        length = _integer(fixed, "padding.strategy.Fixed")
    return Padding(
        length_min=length,
        multiple_of=_integer(padding.get("pad_to_multiple_of") or 1, "padding.pad_to_multiple_of"),
        id=_integer(padding.get("pad_id", 0), "padding.pad_id"),
        type_id=_type_id(padding, "padding", "pad_type_id"),
        left=_is_left(padding, "padding"),
    )


_FIRST = Part(kind="first")
_PLAIN = ([_FIRST], [_FIRST, Part(kind="second", type_id=1)])


def _templates(processor: Any, path: str) -> dict[bool, tuple[list[Part], list[Part]]]:
    if processor is None:
        return {True: _PLAIN, False: _PLAIN}
    kind = _object(processor, path).get("type")
    if kind == "Sequence":
        return _sequence(_list(processor.get("processors"), f"{path}.processors"), path)
    if kind == "ByteLevel":  # concerns offsets only
        return {True: _PLAIN, False: _PLAIN}
    if kind == "TemplateProcessing":
        ids = _special_ids(_object(processor.get("special_tokens"), f"{path}.special_tokens"), path)
        single = _template(processor, "single", ids, path)
        pair = _template(processor, "pair", ids, path)
        texts = ([p for p in single if p.kind != "ids"], [p for p in pair if p.kind != "ids"])
        return {True: (single, pair), False: texts}
    if kind not in ("BertProcessing", "RobertaProcessing"):
        known = ("TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel")
        raise _refuse(f"{path}.type", kind, known)
    # RoBERTa has one type only.
    plain = _PLAIN if kind == "BertProcessing" else ([_FIRST], [_FIRST, Part(kind="second")])
    return {True: _classic(processor, kind, path), False: plain}


def _sequence(processors: list[Any], path: str) -> dict[bool, tuple[list[Part], list[Part]]]:
    """Several processors, of which all but one concern offsets only."""
    templates = {True: _PLAIN, False: _PLAIN}
    for index, entry in enumerate(processors):
        here = f"{path}.processors[{index}]"
        read = _templates(entry, here)
        if read[True] is _PLAIN:
            continue
        if templates[True] is not _PLAIN:
            raise _refuse(f"{here}.type", entry.get("type"), "one that adds tokens")
        templates = read
    return templates


def _classic(processor: _Json, kind: str, path: str) -> tuple[list[Part], list[Part]]:
    def ids(key: str) -> list[int]:
        token = _list(processor.get(key), f"{path}.{key}")
        if len(token) != 2:
            raise ConfigError(f"{path}.{key}: expected a token and its id, got {token!r}")
        return [_integer(token[1], f"{path}.{key}[1]")]

    start, end = Part(kind="ids", ids=ids("cls")), Part(kind="ids", ids=ids("sep"))
    single = [start, _FIRST, end]
    if kind == "RobertaProcessing":
        return single, [*single, end, Part(kind="second"), end]
    behind = Part(kind="ids", ids=end.ids, type_id=1)
    return single, [*single, Part(kind="second", type_id=1), behind]


def _special_ids(tokens: _Json, path: str) -> dict[str, list[int]]:
    found = {}
    for name, token in tokens.items():
        here = f"{path}.special_tokens[{name!r}].ids"
        listed = _list(_object(token, here).get("ids"), here)
        found[name] = [_integer(i, here) for i in listed]
    return found


def _template(
    processor: _Json, key: str, special: Mapping[str, list[int]], path: str
) -> list[Part]:
    parts = []
    for index, entry in enumerate(_list(processor.get(key), f"{path}.{key}")):
        here = f"{path}.{key}[{index}]"
        piece = _object(entry, here)
        if set(piece) == {"Sequence"}:
            sequence = _object(piece["Sequence"], here)
            kinds = {"A": _FIRST.kind, "B": Part(kind="second").kind}
            if sequence.get("id") not in kinds:
                raise _refuse(f"{here}.Sequence.id", sequence.get("id"), kinds)
            type_id = _type_id(sequence, here)
            parts.append(Part(kind=kinds[sequence["id"]], type_id=type_id))
        elif set(piece) == {"SpecialToken"}:
            token = _object(piece["SpecialToken"], here)
            if token.get("id") not in special:
                raise ConfigError(f"{here}: {token.get('id')!r} is not in {path}.special_tokens")
            parts.append(Part(kind="ids", ids=special[token["id"]], type_id=_type_id(token, here)))
        else:
            raise _refuse(here, sorted(piece), ("Sequence", "SpecialToken"))
    return parts


def _type_id(piece: _Json, path: str, key: str = "type_id") -> int:
    type_id = _integer(piece.get(key, 0), f"{path}.{key}")
    if type_id > 255:
        raise _refuse(f"{path}.{key}", type_id, "0 to 255")
    return type_id
