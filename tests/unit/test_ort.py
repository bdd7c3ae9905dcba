"""penstock._ort: which library is found, in made-up site directories."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from penstock._ort import find_onnxruntime
from penstock.errors import RuntimeLibraryError

LIBRARY = "onnxruntime/capi/libonnxruntime.so.1.31.1"


def install(site: Path, name: str, *, library: bool = True, recorded: bool = True) -> Path:
    """Leaves what pip leaves: metadata with a record, and the library."""
    info = site / f"{name.replace('-', '_')}-1.31.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.31.1\n")
    files = ["onnxruntime/__init__.py", "onnxruntime/capi/libonnxruntime_providers_shared.so"]
    if recorded:
        files.append(LIBRARY)
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    path = site / LIBRARY
    path.parent.mkdir(parents=True, exist_ok=True)
    if library:
        path.touch()
    return path


@pytest.mark.parametrize("name", ["onnxruntime", "onnxruntime-gpu"])
def test_find_one_package_returns_its_library(tmp_path: Path, name: str) -> None:
    library = install(tmp_path, name)
    assert find_onnxruntime([str(tmp_path)]) == library


def test_find_no_package_names_the_extras(tmp_path: Path) -> None:
    with pytest.raises(RuntimeLibraryError, match=r"penstock\[cpu\].*penstock\[gpu\]"):
        find_onnxruntime([str(tmp_path)])


def test_find_both_packages_names_both_and_the_command(tmp_path: Path) -> None:
    install(tmp_path, "onnxruntime")
    install(tmp_path, "onnxruntime-gpu")
    with pytest.raises(
        RuntimeLibraryError,
        match=r"onnxruntime 1.31.1 in .* and onnxruntime-gpu 1.31.1 in .*"
        r"`pip uninstall -y onnxruntime onnxruntime-gpu`",
    ):
        find_onnxruntime([str(tmp_path)])


def test_find_both_packages_in_two_places_is_refused(tmp_path: Path) -> None:
    install(tmp_path / "a", "onnxruntime")
    install(tmp_path / "b", "onnxruntime-gpu")
    with pytest.raises(RuntimeLibraryError, match="two ONNX Runtimes"):
        find_onnxruntime([str(tmp_path / "a"), str(tmp_path / "b")])


@pytest.mark.parametrize(("library", "recorded"), [(False, True), (True, False)])
def test_find_damaged_package_says_reinstall(tmp_path: Path, library: bool, recorded: bool) -> None:
    install(tmp_path, "onnxruntime", library=library, recorded=recorded)
    with pytest.raises(RuntimeLibraryError, match="--force-reinstall onnxruntime"):
        find_onnxruntime([str(tmp_path)])


def test_find_installed_package_does_not_import_it() -> None:
    code = (
        "import sys; from penstock._ort import find_onnxruntime; "
        "print(find_onnxruntime().name); assert 'onnxruntime' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("libonnxruntime.so")
