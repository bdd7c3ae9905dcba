"""Locates the ONNX Runtime library that is installed, without importing the package.

Importing onnxruntime would load a second runtime into the process. Reads only package metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from penstock._cuda import find_cuda_libraries
from penstock._installed import installed
from penstock._options import ModelOptions, ServerOptions
from penstock.errors import RuntimeLibraryError

__all__ = ["find_onnxruntime", "locate_runtime"]

# These wheels install the same files, so only one of them can be there.
_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino")
_LIBRARY = "onnxruntime/capi/libonnxruntime.so"


def locate_runtime(options: ServerOptions, models: Iterable[ModelOptions]) -> ServerOptions:
    """Returns the options with the libraries of ONNX Runtime and of the providers asked for.

    Raises RuntimeLibraryError where something that is asked for is not installed.
    """
    asked = {*options.providers, *(name for model in models for name in model.providers)}
    libraries = find_cuda_libraries() if "cuda" in asked else ()
    return options.model_copy(
        update={
            "onnxruntime_library": str(find_onnxruntime()),
            "provider_libraries": tuple(map(str, libraries)),
        }
    )


def find_onnxruntime(search_path: Sequence[str] | None = None) -> Path:
    """Returns the absolute path of libonnxruntime.so.*; search_path defaults to sys.path."""
    packages = ((name, installed(name, search_path)) for name in _PACKAGES)
    found = [(name, package) for name, package in packages if package is not None]
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
            f"`pip uninstall -y {' '.join(name for name, _ in found)}` and then "
            "`pip install penstock[cpu]` or `pip install penstock[gpu]`"
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
