"""What is derived from native/options.toml is committed as the generator writes it today."""

from __future__ import annotations

import generate_options
import pytest


def test_generated_files_are_not_stale(capsys: pytest.CaptureFixture[str]) -> None:
    code = generate_options.main(["--check"])
    assert code == 0, capsys.readouterr().out
