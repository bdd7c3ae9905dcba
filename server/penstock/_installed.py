"""Installed distributions, by name, without importing them. Reads only package metadata."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import Distribution, distributions

__all__ = ["installed"]


def installed(name: str, search_path: Sequence[str] | None) -> Distribution | None:
    """The first distribution of that name; search_path defaults to sys.path."""
    if search_path is None:
        return next(iter(distributions(name=name)), None)
    return next(iter(distributions(name=name, path=list(search_path))), None)
