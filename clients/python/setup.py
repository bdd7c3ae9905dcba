"""Builds the codec of string tensors with Cython; pyproject.toml describes all else."""

from __future__ import annotations

from Cython.Build import cythonize
from setuptools import Extension, setup

setup(
    # Without build_dir the generated C would lie beside the sources and end up in the wheel.
    ext_modules=cythonize(
        [Extension("penstock_client._strings", ["penstock_client/_strings.pyx"])],
        build_dir="build/cython",
    )
)
