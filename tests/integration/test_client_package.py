"""The client's distributions: the wheel is built from what the source distribution holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

CLIENT = Path(__file__).resolve().parents[2] / "clients/python"
# The build's own front door, with what this environment has; nothing is downloaded.
BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))
"""
# From a folder without the repository, and without the environment's own penstock_client.
USE = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np, penstock_client
from penstock_client.wire import encode_request
assert penstock_client.__file__.startswith(sys.argv[1]), penstock_client.__file__
assert b"\\x02\\0\\0\\0ab" in encode_request("m", {"x": np.array(["ab"])})
assert not any(name == "penstock" or name.startswith("penstock.") for name in sys.modules)
"""


def run(program: str, *arguments: object, cwd: Path) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "CFLAGS": "-O0"},  # the build's time is the compiler's
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout.splitlines()[-1] if finished.stdout else ""


def test_wheel_of_the_source_distribution_works_without_the_server(tmp_path: Path) -> None:
    source = tmp_path / "checkout"
    shutil.copytree(CLIENT, source, ignore=shutil.ignore_patterns("*.so", "build", "*.egg-info"))
    archive = tmp_path / run(BUILD, "build_sdist", tmp_path, cwd=source)
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    wheel = tmp_path / run(BUILD, "build_wheel", tmp_path, cwd=unpacked)
    with zipfile.ZipFile(wheel) as opened:
        names = {Path(name).name for name in opened.namelist()}
        opened.extractall(tmp_path / "installed")
    assert {"py.typed", "_strings.pyi", "wire.py"} <= names
    assert any(name.startswith("_strings.") and name.endswith(".so") for name in names)
    assert not {name for name in names if name.endswith((".c", ".pyx"))}
    run(USE, tmp_path / "installed", cwd=tmp_path)
