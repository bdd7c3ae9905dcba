"""scripts/generate_options.py: what it writes, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import generate_options
import pytest
from settings_source import parse

ROOT = Path(__file__).resolve().parents[2]
OPTION = """
name = "{name}"
scope = "server"
type = "int"
default = {default}
min = 1
max = 9
cli = "flag"
effect = "restart"
doc = "A number."
"""


def document(*options: str) -> str:
    return "enum = []\n" + "".join(f"[[option]]{option}" for option in options)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in [generate_options.SOURCE, *generate_options.GENERATED]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_generate_second_run_changes_nothing(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate_options.main(["--root", str(copy)]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", generate_options.GENERATED)
def test_check_edited_file_is_named(
    copy: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (copy / name).open("a") as file:
        file.write("edited\n")
    assert generate_options.main(["--check", "--root", str(copy)]) == 1
    assert capsys.readouterr().out == f"{name}: is stale; run make generate\n"
    assert (copy / name).read_text().endswith("edited\n")


def test_generate_new_option_reaches_every_file(copy: Path) -> None:
    source = copy / generate_options.SOURCE
    source.write_text(source.read_text() + "[[option]]" + OPTION.format(name="sluices", default=3))
    assert generate_options.main(["--root", str(copy)]) == 0
    for name in generate_options.GENERATED:
        assert "sluices" in (copy / name).read_text(), name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (document(OPTION.format(name="a", default=0)), "'a': default 0 is out of range"),
        (document(OPTION.format(name="a", default=1) * 1, OPTION.format(name="a", default=1)),
         "server option a stands twice"),
        (document(OPTION.format(name="a", default=1) + 'unti = "ms"\n'), "unti"),
        (document(OPTION.format(name="a", default=1).replace('"int"', '"real"')),
         "type 'real' is unknown"),
        (document(OPTION.format(name="a", default=1).replace('"server"', '"client"')),
         "scope 'client'"),
    ],
)  # fmt: skip
def test_parse_wrong_option_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)
