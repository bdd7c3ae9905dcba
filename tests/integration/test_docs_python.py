"""The blocks of docs/python.md run, in order, in one process and one namespace."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120.0


def test_python_page_its_blocks_run_and_print_what_they_say(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples/digits/digits.onnx", tmp_path)
    text = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 7
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # A comment behind a print is what it prints, but for the one that tells of a free port.
    promised = re.findall(r"^ *print\(.*\)  # (.+)$", "\n".join(blocks), re.MULTILINE)
    printed = done.stdout.splitlines()
    for line in promised:
        assert line.startswith("127.0.0.1 and") or line in printed, (line, printed)
