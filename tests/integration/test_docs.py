"""The blocks of the pages run: Python in order, in one process and one namespace for a page; YAML
as the model.yaml that it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from penstock.config import load_model_settings
from support.made_tokenizers import train_word_piece
from support.pictures import encoded, picture

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120.0
WITH_YAML = ("README.md", "docs/preprocessing.md", "docs/reference/models.md")


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


YAML_BLOCKS = [
    pytest.param(block, id=f"{page}-{index}")
    for page in WITH_YAML
    for index, block in enumerate(blocks(page, "yaml"))
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the blocks name."""
    shutil.copy(ROOT / "examples/digits/digits.onnx", tmp_path)
    (tmp_path / "cat.jpg").write_bytes(encoded(picture(640, 480), "JPEG"))
    (tmp_path / "dog.png").write_bytes(encoded(picture(300, 400)))
    (tmp_path / "labels.txt").write_text("\n".join(f"class {index}" for index in range(1000)))
    train_word_piece(["A sentence. Another one."], tmp_path / "tokenizer.json", 100)
    (tmp_path / "model.yaml").write_text(blocks("docs/preprocessing.md", "yaml")[0])
    (tmp_path / "steps.py").write_text(blocks("docs/preprocessing.md", "python")[-1])
    return tmp_path


@pytest.mark.parametrize("page", ["python", "preprocessing", "tokenizer"])
def test_page_its_blocks_run_and_print_what_they_say(page: str, folder: Path) -> None:
    program = "\n".join(blocks(f"docs/{page}.md", "python"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # A comment behind a print is what it prints, but for the one that tells of a free port.
    promised = re.findall(r"^ *print\(.*\)  # (.+)$", program, re.MULTILINE)
    printed = done.stdout.splitlines()
    assert promised
    for line in promised:
        assert line.startswith("127.0.0.1 and") or line in printed, (line, printed)


@pytest.mark.parametrize("block", YAML_BLOCKS)
def test_declaration_on_a_page_is_taken(block: str, folder: Path) -> None:
    (folder / "model.yaml").write_text(block)
    settings = load_model_settings(folder / "model.yaml", {})
    pipeline = settings.pipeline
    assert pipeline.preprocessing or pipeline.postprocessing or settings.ragged
