"""Turns flags and model.yaml files into checked settings. PURE but for reading one YAML file.

Precedence for a model: its own file, then the flags of the command line, then the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from penstock._options import ModelOptions, ServerOptions
from penstock.errors import ConfigError

__all__ = ["load_model_options", "make_model_options", "make_server_options"]

_Options = TypeVar("_Options", bound=BaseModel)


def make_server_options(values: Mapping[str, object]) -> ServerOptions:
    options = _validate(ServerOptions, values, "")
    if options.max_inflight_bytes < options.max_message_bytes:
        raise ConfigError(
            f"max_inflight_bytes: {options.max_inflight_bytes} is less than max_message_bytes, "
            f"{options.max_message_bytes}; the longest message would never be received"
        )
    return options


def make_model_options(values: Mapping[str, object], where: str = "") -> ModelOptions:
    return _validate(ModelOptions, values, where)


def load_model_options(path: Path | None, defaults: Mapping[str, object]) -> ModelOptions:
    """Reads the settings beside a model; path is None where there are none."""
    if path is None:
        return make_model_options(defaults)
    return make_model_options({**defaults, **_read_yaml(path)}, f"{path}: ")


def _read_yaml(path: Path) -> dict[str, object]:
    # Imported here, since most models have no settings and the parser costs time to load.
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise ConfigError(f"{path}: expected settings such as `max_batch_size: 8`")
    return document


def _validate(kind: type[_Options], values: Mapping[str, object], where: str) -> _Options:
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        problems = (_problem(kind, detail) for detail in error.errors(include_url=False))
        raise ConfigError(where + "; ".join(problems)) from None


def _problem(kind: type[BaseModel], detail: Mapping[str, object]) -> str:
    location = detail["loc"]
    parts = location if isinstance(location, tuple) else ()
    key = ".".join(str(part) for part in parts)
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown setting; known are {', '.join(sorted(kind.model_fields))}"
    return f"{key}: {detail['msg']}, got {detail['input']!r}"
