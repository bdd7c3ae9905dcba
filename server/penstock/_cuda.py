"""Finds CUDA and cuDNN among the installed nvidia-* packages, without importing anything.

The CUDA provider of ONNX Runtime looks its libraries up by name, and pip puts them where no linker
looks. The core opens them by the paths found here; then they are found. Which packages belong to
the installed onnxruntime-gpu stands in its metadata. Reads only package metadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution
from pathlib import Path

from penstock._installed import installed
from penstock.errors import RuntimeLibraryError

__all__ = ["find_cuda_libraries"]

_RUNTIME = "onnxruntime-gpu"
_REMEDY = "run `pip install 'penstock[gpu]'`"
# In the order in which they need each other. Of each, what the packages have is opened; cuDNN finds
# its other parts beside itself.
_LIBRARIES = (
    "libcudart",
    "libnvJitLink",
    "libnvrtc",
    "libcublasLt",
    "libcublas",
    "libcurand",
    "libcufft",
    "libcudnn",
)
_FILE = re.compile(r"(lib[A-Za-z]+)\.so\.[0-9]+")
_REQUIREMENT = re.compile(r"nvidia-[a-z0-9-]+")


def find_cuda_libraries(search_path: Sequence[str] | None = None) -> tuple[Path, ...]:
    """Returns absolute paths in the order in which they are to be opened.

    Empty where onnxruntime-gpu is not installed or names no packages: then the core says what it
    misses. Raises RuntimeLibraryError where a package that it names, or a file of one, is missing.
    search_path defaults to sys.path.
    """
    runtime = installed(_RUNTIME, search_path)
    found: dict[str, Path] = {}
    for package in _packages(runtime, search_path) if runtime is not None else ():
        for stem, path in _libraries(package):
            found.setdefault(stem, path)
    return tuple(found[stem] for stem in _LIBRARIES if stem in found)


def _packages(runtime: Distribution, search_path: Sequence[str] | None) -> Iterator[Distribution]:
    """The nvidia-* packages that onnxruntime-gpu requires, and those that they require."""
    wanted = _requirements(runtime)
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        package = installed(name, search_path)
        if package is None:
            raise RuntimeLibraryError(
                f"provider 'cuda' needs the package {name}, which is not installed; {_REMEDY}"
            )
        wanted += _requirements(package)
        yield package


def _requirements(package: Distribution) -> list[str]:
    matches = (_REQUIREMENT.match(text) for text in package.requires or ())
    return [match.group() for match in matches if match]


def _libraries(package: Distribution) -> Iterator[tuple[str, Path]]:
    for file in package.files or ():
        match = _FILE.fullmatch(file.name)
        if match is None or match[1] not in _LIBRARIES:
            continue
        path = Path(str(package.locate_file(file))).absolute()
        if not path.is_file():
            name = package.metadata["Name"]
            raise RuntimeLibraryError(
                f"{name} {package.version} has no {file}; "
                f"run `pip install --force-reinstall {name}`"
            )
        yield match[1], path
