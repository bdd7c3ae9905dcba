"""From paths and settings to what the core takes; shared by serve, Server and Engine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from penstock import _core
from penstock._options import ModelOptions, ServerOptions
from penstock._ort import locate_runtime
from penstock.config import (
    check_together,
    load_model_settings,
    make_model_options,
    make_server_options,
)
from penstock.errors import ConfigError
from penstock.repository import find_models

__all__ = ["Paths", "core_arguments", "drain_ms"]

Paths: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def core_arguments(
    paths: Paths, settings: Mapping[str, object]
) -> tuple[ServerOptions, list[_core.ModelSource]]:
    """settings are those of the server and of every model, by name. Raises PenstockError."""
    server, model = _split(settings)
    options = make_server_options(server)
    # Before anything is looked for, and named by the caller's keyword.
    check_together(options, make_model_options(model))
    several = [paths] if isinstance(paths, str | os.PathLike) else paths
    models = [
        (found, load_model_settings(found.settings, model))
        for found in find_models([Path(path) for path in several])
    ]
    for found, own in models:
        check_together(options, own.options, f"{found.settings}: " if found.settings else "")
    sources = [
        _core.ModelSource(
            name=found.name,
            version=found.version,
            path=str(found.path),
            options=own.options,
            preprocessing=own.pipeline.preprocessing,
            postprocessing=own.pipeline.postprocessing,
            allow_raw=own.pipeline.allow_raw,
            labels=own.labels,
            ragged=own.ragged,
        )
        for found, own in models
    ]
    return locate_runtime(options, (own.options for _, own in models)), sources


def drain_ms(options: ServerOptions, drain_timeout_s: float | None) -> int:
    """What a stop may take: drain_timeout_s, or the setting."""
    return options.drain_timeout_ms if drain_timeout_s is None else int(drain_timeout_s * 1000)


def _split(settings: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """Settings of the server, and of every model. What both have, such as providers, is the
    server's, which holds for every model that does not name its own."""
    server: dict[str, object] = {}
    model: dict[str, object] = {}
    for name, value in settings.items():
        if name in ServerOptions.model_fields:
            server[name] = value
        elif name in ModelOptions.model_fields:
            model[name] = value
        else:
            known = sorted({*ServerOptions.model_fields, *ModelOptions.model_fields})
            raise ConfigError(f"{name}: unknown setting; known are {', '.join(known)}")
    return server, model
