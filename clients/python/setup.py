"""Builds the Cython modules, of strings and columns; pyproject.toml describes all else."""

from __future__ import annotations

from Cython.Build import cythonize
from setuptools import Extension, setup

setup(
    # Without build_dir the generated C would lie beside the sources and end up in the wheel.
    ext_modules=cythonize(
        [
            Extension(f"penstock_client.{name}", [f"penstock_client/{name}.pyx"])
            for name in ("_columns", "_strings")
        ],
        build_dir="build/cython",
    )
)
