"""Checks a value against the part of JSON Schema that this project's schemas use.

An unknown keyword is an error of the schema: silently ignored, it would check nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
_KNOWN = {"$schema", "$id", "$defs", "$ref", "title", "description", "type", "enum", "const"}
_KNOWN |= {"properties", "required", "additionalProperties", "items", "minimum", "maximum"}
_KNOWN |= {"minItems", "maxItems", "anyOf", "$comment"}


def problems(value: Any, schema: Mapping[str, Any]) -> list[str]:
    """Empty: the value is valid."""
    return list(_problems(value, schema, schema, "$"))


def _problems(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], where: str
) -> Iterator[str]:
    unknown = set(schema) - _KNOWN
    assert not unknown, f"{where}: keywords that are not checked: {unknown}"
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        yield from _problems(value, root["$defs"][name], root, where)
    if "anyOf" in schema:
        tried = [list(_problems(value, each, root, where)) for each in schema["anyOf"]]
        if all(tried):
            yield from min(tried, key=len)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(_is(value, name) for name in types):
        yield f"{where}: {value!r} is not {' or '.join(types)}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{where}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    number = _is(value, "number")
    if number and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{where}: {value!r} is out of range"
    if isinstance(value, dict):
        yield from _object_problems(value, schema, root, where)
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{where}: {len(value)} items"
        for index, item in enumerate(value):
            yield from _problems(item, schema.get("items", {}), root, f"{where}[{index}]")


def _object_problems(
    value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], where: str
) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield f"{where}: {name} is missing"
    for name, item in value.items():
        rest = schema.get("additionalProperties", True)
        if name in properties:
            yield from _problems(item, properties[name], root, f"{where}.{name}")
        elif rest is False:
            yield f"{where}: {name} is not in the schema"
        elif rest is not True:
            yield from _problems(item, rest, root, f"{where}.{name}")


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])
