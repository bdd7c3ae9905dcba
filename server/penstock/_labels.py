"""Labels as a configuration has them: a list, or a text file with one a line. PURE but for reading
that file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import Field

from penstock.errors import ConfigError

__all__ = ["LabelSource", "read_labels", "read_output_labels"]

LabelSource: TypeAlias = (
    Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1)]
)


def read_labels(source: str | list[str], folder: Path) -> list[str]:
    """A file is relative to `folder`. Raises ValueError that says what is wrong with it."""
    if not isinstance(source, str):
        return source
    path = folder / source
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is not UTF-8: {error.reason} at byte {error.start}") from None
    labels = text.removesuffix("\n").split("\n") if text else []
    if not labels:
        raise ValueError(f"{path}: has no labels; expected one in each line")
    return [label.removesuffix("\r") for label in labels]


def read_output_labels(config: object, folder: Path, where: str = "") -> dict[str, list[str]]:
    """The `labels` of a model.yaml: for an output, a list or a file. None: there are none."""
    if config is None:
        return {}
    if not isinstance(config, Mapping):
        raise ConfigError(f"{where}labels: expected outputs with their labels, got {config!r}")
    labels: dict[str, list[str]] = {}
    for output, source in config.items():
        key = f"{where}labels.{output}"
        texts = isinstance(source, list) and all(isinstance(label, str) for label in source)
        if not source or not (texts or isinstance(source, str)):
            raise ConfigError(f"{key}: expected a list of labels or a file of them, got {source!r}")
        try:
            labels[str(output)] = read_labels(source, folder)
        except ValueError as error:
            raise ConfigError(f"{key}: {error}") from None
    return labels
