"""Builds the C++ core with CMake as the extension penstock._core, and the Cython modules.

The rest of the package is described in pyproject.toml. The CMake build folder stays in build/, so
that a second build compiles only what changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent


class CMakeExtension(Extension):
    def __init__(self, name: str) -> None:
        super().__init__(name, sources=[])


class BuildExtension(build_ext):
    def build_extension(self, ext: Extension) -> None:
        if isinstance(ext, CMakeExtension):
            self._build_with_cmake(Path(self.get_ext_fullpath(ext.name)).resolve().parent)
        else:
            super().build_extension(ext)

    def _build_with_cmake(self, output: Path) -> None:
        import pybind11

        build = ROOT / "build" / f"python-{sys.implementation.cache_tag}"
        cmake = _program("cmake")
        # All of these may lie in the environment of an isolated build, which is gone the next
        # time: said every time, they replace what CMake remembers.
        settings = {
            "CMAKE_MAKE_PROGRAM": _program("ninja"),
            "Python_EXECUTABLE": sys.executable,
            "pybind11_DIR": pybind11.get_cmake_dir(),
            "PENSTOCK_PYTHON": "ON",
            "PENSTOCK_CORE_DIR": str(output),
        }
        arguments = [f"-D{name}={value}" for name, value in settings.items()]
        subprocess.run([cmake, "-G", "Ninja", "-S", ROOT, "-B", build, *arguments], check=True)
        jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", str(len(os.sched_getaffinity(0))))
        subprocess.run(
            [cmake, "--build", build, "--target", "_core", "--parallel", jobs], check=True
        )


def _program(name: str) -> str:
    """The one beside the interpreter or installed as a build requirement, else on the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        sys.exit(f"{name} is missing; install it with `pip install {name}`")
    return found


def _cython_modules() -> list[Extension]:
    """What walks Python's data is written once, in the client, which must build without us."""
    from Cython.Build import cythonize

    extensions = [
        Extension(f"penstock.{name}", [f"clients/python/penstock_client/{name}.pyx"])
        for name in ("_columns", "_strings")
    ]
    # Without build_dir the generated C would lie beside the sources and end up in the wheel.
    modules: list[Extension] = cythonize(extensions, build_dir="build/cython", language_level=3)
    return modules


setup(
    ext_modules=[CMakeExtension("penstock._core"), *_cython_modules()],
    cmdclass={"build_ext": BuildExtension},
)
