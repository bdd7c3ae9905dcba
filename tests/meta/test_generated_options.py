"""What is derived from native/options.toml and native/metrics.toml is committed as made today."""

from __future__ import annotations

from types import ModuleType

import generate_metrics
import generate_options
import pytest


@pytest.mark.parametrize("generator", [generate_options, generate_metrics])
def test_generated_files_are_not_stale(
    generator: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    code = generator.main(["--check"])
    assert code == 0, capsys.readouterr().out
