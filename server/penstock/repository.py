"""Finds the models that the paths given to `penstock serve` stand for. Only lists directories.

A path is either an .onnx file (a model named after it, version 1, settings in NAME.yaml beside it)
or a model repository:

    repository/
      digits/
        model.yaml      optional: settings of this model
        1/model.onnx
        2/model.onnx    the highest version is served

What is inside the files is not looked at here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import RepositoryError

__all__ = ["ModelFile", "find_models"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# At most 18 digits, so that every version fits into a signed 64 bit integer.
_VERSION = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One model version on disk. Both paths are absolute."""

    name: str
    version: int
    path: Path
    settings: Path | None


def find_models(paths: Sequence[Path]) -> list[ModelFile]:
    """Returns at least one model; the names are unique over all paths."""
    models: dict[str, ModelFile] = {}
    for path in paths:
        for model in _models_of(path):
            other = models.get(model.name)
            if other is not None:
                raise RepositoryError(
                    f"model {model.name!r} is given twice: {other.path} and {model.path}; "
                    "rename one of them"
                )
            models[model.name] = model
    if not models:
        raise RepositoryError("no model is given")
    return list(models.values())


def _models_of(path: Path) -> Iterator[ModelFile]:
    if not path.exists():
        raise RepositoryError(f"{path}: no such file or directory")
    if path.is_dir():
        yield from _models_of_repository(path)
    elif path.suffix == ".onnx":
        yield _single_model(path)
    else:
        raise RepositoryError(f"{path}: is neither an .onnx file nor a model repository")


def _single_model(path: Path) -> ModelFile:
    _check_name(path.stem, path)
    settings = path.with_suffix(".yaml")
    return ModelFile(
        name=path.stem,
        version=1,
        path=path.absolute(),
        settings=settings.absolute() if settings.is_file() else None,
    )


def _models_of_repository(repository: Path) -> Iterator[ModelFile]:
    directories = _directories(repository)
    if not directories:
        raise RepositoryError(
            f"{repository}: is an empty model repository; expected <model>/<version>/model.onnx"
        )
    for directory in directories:
        if _VERSION.fullmatch(directory.name) and (directory / "model.onnx").is_file():
            raise RepositoryError(
                f"{repository}: is the directory of one model; give the model repository, "
                f"{repository.absolute().parent}"
            )
        yield _model_of_directory(directory)


def _model_of_directory(directory: Path) -> ModelFile:
    _check_name(directory.name, directory)
    versions = []
    for child in _directories(directory):
        if not _VERSION.fullmatch(child.name):
            raise RepositoryError(
                f"{child}: {child.name!r} is not a version; expected a number such as 1, "
                "without leading zeros"
            )
        versions.append(int(child.name))
    if not versions:
        raise RepositoryError(f"{directory}: has no version; expected {directory}/1/model.onnx")
    path = directory / str(max(versions)) / "model.onnx"
    if not path.is_file():
        raise RepositoryError(f"{path.parent}: has no model.onnx")
    settings = directory / "model.yaml"
    return ModelFile(
        name=directory.name,
        version=max(versions),
        path=path.absolute(),
        settings=settings.absolute() if settings.is_file() else None,
    )


def _directories(parent: Path) -> list[Path]:
    """Sorted, without hidden ones: tools leave .git and .ipynb_checkpoints behind."""
    try:
        children = sorted(parent.iterdir())
    except OSError as error:
        raise RepositoryError(f"{parent}: cannot be listed: {error.strerror}") from error
    return [child for child in children if child.is_dir() and not child.name.startswith(".")]


def _check_name(name: str, path: Path) -> None:
    if not _NAME.fullmatch(name) or ".." in name:
        raise RepositoryError(
            f"{path}: {name!r} cannot be a model's name; it must be 1 to 128 of A-Z a-z 0-9 . _ -, "
            "begin with a letter or digit and hold no '..'"
        )
