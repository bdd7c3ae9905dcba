"""Turns flags and model.yaml files into checked settings. PURE but for reading one YAML file, and
the files that steps of its pipeline name.

Precedence for a model: its own file, then the flags of the command line, then the defaults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from penstock import _core
from penstock._labels import read_output_labels
from penstock._options import Execution, ModelOptions, ServerOptions
from penstock._pipeline_config import PIPELINE_KEYS, PipelineConfig, read_pipeline
from penstock._problems import describe_problems
from penstock._ragged_config import read_ragged
from penstock.errors import ConfigError

__all__ = [
    "ModelSettings",
    "check_together",
    "load_model_settings",
    "make_model_options",
    "make_server_options",
]

# Keys of a model.yaml beside the options and the pipeline's.
_LABELS, _RAGGED = "labels", "ragged"

_Options = TypeVar("_Options", bound=BaseModel)


def make_server_options(values: Mapping[str, object]) -> ServerOptions:
    options = _validate(ServerOptions, values, "")
    if options.max_inflight_bytes < options.max_message_bytes:
        raise ConfigError(
            f"max_inflight_bytes: {options.max_inflight_bytes} is less than max_message_bytes, "
            f"{options.max_message_bytes}; the longest message would never be received"
        )
    if options.no_http and "http_port" in values:
        raise ConfigError(
            f"http_port: {options.http_port} is asked for, and no_http as well; leave one out"
        )
    return options


def make_model_options(values: Mapping[str, object], where: str = "") -> ModelOptions:
    options = _validate(ModelOptions, values, where)
    for contradiction in _contradictions(options):
        raise ConfigError(where + contradiction)
    return options


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """What stands beside a model: its options, the pipeline before and behind it, the labels of
    its outputs, and which of its inputs differ in length."""

    options: ModelOptions
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    labels: dict[str, list[str]] = field(default_factory=dict)
    ragged: tuple[_core.RaggedDeclaration, ...] = ()


def load_model_settings(path: Path | None, defaults: Mapping[str, object]) -> ModelSettings:
    """Reads the settings beside a model; path is None where there are none. Files that steps of its
    pipeline name are relative to the folder of `path`."""
    if path is None:
        return ModelSettings(options=make_model_options(defaults))
    document = _read_yaml(path)
    labels = document.pop(_LABELS, None)
    pipeline = {key: document.pop(key) for key in PIPELINE_KEYS if key in document}
    ragged = document.pop(_RAGGED, ())
    return ModelSettings(
        options=make_model_options({**defaults, **document}, f"{path}: "),
        pipeline=read_pipeline(pipeline, path.parent, f"{path}: "),
        labels=read_output_labels(labels, path.parent, f"{path}: "),
        ragged=read_ragged(ragged, f"{path}: {_RAGGED}"),
    )


def check_together(server: ServerOptions, model: ModelOptions, where: str = "") -> None:
    """Raises ConfigError where a model asks for what the server's settings exclude."""
    if 0 < server.compute_threads < model.instance_count:
        raise ConfigError(
            f"{where}instance_count: {model.instance_count} batches cannot run at once on "
            f"compute_threads, {server.compute_threads}; at most so many, or 0 for all of them"
        )


def _contradictions(options: ModelOptions) -> Iterator[str]:
    delay_ms = options.max_queue_delay_us / 1000
    inline = options.execution is Execution.INLINE
    if inline and options.instance_count > 0:
        yield (
            f"instance_count: {options.instance_count} is for compute threads, and execution is "
            "inline; leave it out, or set execution to pool or auto"
        )
    if inline and delay_ms > 0:
        yield (
            f"max_queue_delay_us: {options.max_queue_delay_us} lets batches wait, and execution is "
            "inline, where they never do; set it to 0, or execution to pool or auto"
        )
    for name in ("default_timeout_ms", "queue_delay_target_ms"):
        limit_ms = getattr(options, name)
        if 0 < limit_ms < delay_ms:
            yield (
                f"max_queue_delay_us: {options.max_queue_delay_us} is longer than {name}, "
                f"{limit_ms} ms; calls would be given up while their batch waits on purpose"
            )


def _read_yaml(path: Path) -> dict[str, object]:
    # Imported here, since most models have no settings and the parser costs time to load.
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        document, tree = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise ConfigError(f"{path}: expected settings such as `max_batch_size: 8`")
    # YAML itself forbids it, the parser takes the last.
    keys = [key.value for key, _ in tree.value] if isinstance(tree, yaml.MappingNode) else []
    for key in document:
        if keys.count(key) > 1:
            raise ConfigError(f"{path}: {key}: stands {keys.count(key)} times, expected once")
    return document


def _validate(kind: type[_Options], values: Mapping[str, object], where: str) -> _Options:
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        also_known = (*PIPELINE_KEYS, _LABELS, _RAGGED) if kind is ModelOptions else ()
        raise ConfigError(describe_problems(error, kind, values, where, also_known)) from None
