"""PURE. What is wrong with a configuration, told by the paths of its keys."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

__all__ = ["describe_problems"]

# A list of a thousand numbers where texts are expected is one mistake.
_PROBLEMS_MAX = 3

_UNKNOWN = "unknown setting"

_Path = tuple[str | int, ...]

_shown = reprlib.Repr()
_shown.maxstring = _shown.maxother = 200


def describe_problems(
    error: ValidationError,
    kind: type[BaseModel],
    given: Mapping[str, object],
    where: str = "",
    also_known: Iterable[str] = (),
) -> str:
    """Each problem with its key's path behind `where`: what precedes the path (`file: `), or its
    beginning (`file: steps[0].resize`). also_known: keys that are taken without being kind's."""
    found: dict[_Path, list[str]] = {}
    for detail in error.errors(include_url=False):
        path = _path_of(detail, given)
        message = _message(detail, path, kind, also_known)
        if message not in found.setdefault(path, []):
            found[path].append(message)
    # Of the forms that a value may have, the one that came furthest is what was meant.
    told = [
        path
        for path in found
        if not any(path == other[: len(path)] and path != other for other in found)
    ]
    problems = [_located(where, path, found[path], given) for path in told[:_PROBLEMS_MAX]]
    if len(told) > _PROBLEMS_MAX:
        problems.append(f"and {len(told) - _PROBLEMS_MAX} more")
    return "; ".join(problems)


def _path_of(detail: Mapping[str, Any], given: object) -> _Path:
    """Without the names that pydantic gives to the forms that a value may have."""
    path: list[str | int] = []
    value = given
    for part in detail["loc"]:
        is_key = isinstance(value, Mapping) and part in value
        if is_key or (isinstance(part, int) and isinstance(value, Sequence)):
            value = value[part]  # type: ignore[index]
        elif not (isinstance(value, Mapping) and detail["type"] == "missing"):
            continue
        path.append(part)
    return tuple(path)


def _message(
    detail: Mapping[str, Any], path: _Path, kind: type[BaseModel], also_known: Iterable[str]
) -> str:
    if detail["type"] == "extra_forbidden":
        fields = list(_model_at(kind, path[:-1]).model_fields)
        known = [*fields, *also_known] if len(path) == 1 else fields
        listed = f"known are {', '.join(known)}" if known else "it takes none"
        return f"{_UNKNOWN}; {listed}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    message = re.sub(
        r"valid dictionary( or instance of \w+)?", "mapping of keys to values", message
    )
    return message.replace("valid tuple", "valid list").replace("Tuple", "List")


def _located(where: str, path: _Path, messages: Sequence[str], given: object) -> str:
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    if not where or where.endswith(" "):
        key = key.removeprefix(".")
    text = f"{where}{key}: {', or '.join(messages)}"
    value = given
    for part in path:
        if isinstance(value, Mapping) and part not in value:
            return text  # it is missing
        value = value[part]  # type: ignore[index]
    unknown = messages[0].startswith(_UNKNOWN)
    return text if unknown or not path else f"{text}, got {_shown.repr(value)}"


def _model_at(kind: type[BaseModel], path: _Path) -> type[BaseModel]:
    for part in path:
        field = kind.model_fields.get(part) if isinstance(part, str) else None
        if field is not None:
            kind = next(_models_in(field.annotation), kind)
    return kind


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
