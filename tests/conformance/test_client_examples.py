"""Every example in the client's README runs as it stands, against a real server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.made_models import save_columns

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "clients/python/README.md"
ADDRESS = "127.0.0.1:8001"  # in the examples
# The README's stand-ins and the test models that are served in their place.
STAND_INS = {"texts": "identity_bytes", "half": "identity_bf16"}


def examples() -> list[Any]:
    """The code blocks, named after the headings that they stand under."""
    heading, found = "opening", []
    pattern = re.compile(r"^## (?P<heading>[^\n]+)$|^```python\n(?P<code>.*?)^```$", re.M | re.S)
    for match in pattern.finditer(README.read_text(encoding="utf-8")):
        if match["heading"]:
            heading = match["heading"]
        else:
            found.append(pytest.param(match["code"], id=heading))
    return found


@pytest.fixture(scope="module")
def served(
    start_shared_server: Any, test_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    folder = tmp_path_factory.mktemp("examples")
    for name, model in STAND_INS.items():
        shutil.copy(test_models / f"{model}.onnx", folder / f"{name}.onnx")
    save_columns(folder / "people.onnx")
    return start_shared_server(ROOT / "examples/digits/digits.onnx", *sorted(folder.glob("*.onnx")))


@pytest.mark.parametrize("code", examples())
def test_example_runs(served: Any, code: str) -> None:
    assert ADDRESS in code
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", code.replace(ADDRESS, served.address)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""


def test_every_feature_has_an_example() -> None:
    headings = re.findall(r"^## (.+)$", README.read_text(encoding="utf-8"), re.M)
    with_example = {param.id for param in examples()}
    assert set(headings) - with_example == {"Beside tritonclient"}
