"""Locates the ONNX Runtime library that is installed, without importing the package.

Importing onnxruntime would load a second runtime into the process. Reads only package metadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path

from penstock.errors import RuntimeLibraryError

__all__ = ["find_onnxruntime"]

# The two wheels install the same files, so only one of them can be there.
_PACKAGES = ("onnxruntime", "onnxruntime-gpu")
_LIBRARY = "onnxruntime/capi/libonnxruntime.so"


def find_onnxruntime(search_path: Sequence[str] | None = None) -> Path:
    """Returns the absolute path of libonnxruntime.so.*; search_path defaults to sys.path."""
    installed = {name: _installed(name, search_path) for name in _PACKAGES}
    found = [(name, package) for name, package in installed.items() if package is not None]
    if not found:
        raise RuntimeLibraryError(
            "no ONNX Runtime is installed; run `pip install penstock[cpu]`, or "
            "`pip install penstock[gpu]` where there is an NVIDIA GPU"
        )
    if len(found) > 1:
        both = " and ".join(
            f"{name} {package.version} in {package.locate_file('')}" for name, package in found
        )
        raise RuntimeLibraryError(
            f"two ONNX Runtimes are installed and overwrite each other: {both}; run "
            f"`pip uninstall -y {' '.join(_PACKAGES)}` and then `pip install penstock[cpu]` or "
            "`pip install penstock[gpu]`"
        )
    name, package = found[0]
    for file in package.files or ():
        if str(file).startswith(_LIBRARY):
            path = Path(str(package.locate_file(file))).absolute()
            if path.is_file():
                return path
    raise RuntimeLibraryError(
        f"{name} {package.version} has no {_LIBRARY}.*; run `pip install --force-reinstall {name}`"
    )


def _installed(name: str, search_path: Sequence[str] | None) -> Distribution | None:
    if search_path is None:
        return next(iter(distributions(name=name)), None)
    return next(iter(distributions(name=name, path=list(search_path))), None)
