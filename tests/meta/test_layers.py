"""native/src: a folder includes only what its penstock_layer line in native/CMakeLists.txt names.

The linker would accept more: an include of a header-only part leaves no trace there.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "native"
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<(penstock/[^>]+)>)', re.MULTILINE)
# What DESIGN.md section 3 says: everyone may use these two, which themselves know no other layer.
COMMON = {"base", "metrics"}


def layers() -> dict[str, set[str]]:
    text = (NATIVE / "CMakeLists.txt").read_text()
    lines = re.findall(r"^penstock_layer\(([^)]*)\)", text, re.MULTILINE)
    return {words[0]: set(words[1:]) for words in (line.split() for line in lines)}


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in {".h", ".cc"})


LAYERS = layers()
FILES = [path for layer in LAYERS for path in sources(NATIVE / "src" / layer)]


def name(path: Path) -> str:
    return str(path.relative_to(NATIVE))


def test_layers_every_folder_has_a_line() -> None:
    folders = {path.name for path in (NATIVE / "src").iterdir() if path.is_dir()}
    assert folders <= set(LAYERS)


def test_layers_have_no_cycle() -> None:
    known: set[str] = set()
    for layer, allowed in LAYERS.items():
        assert allowed <= known, f"{layer} names a layer that stands below it"
        known.add(layer)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_source_includes_only_its_layers(path: Path) -> None:
    layer = path.relative_to(NATIVE / "src").parts[0]
    allowed = LAYERS[layer] | COMMON | {layer}
    for quoted, public in INCLUDE.findall(path.read_text()):
        if public:
            continue
        folder, slash, _ = quoted.partition("/")
        assert slash, f'{quoted}: write "{layer}/{quoted}", so that the layer is seen'
        assert folder in allowed, f"{layer} may not include {quoted}"
        assert (NATIVE / "src" / quoted).is_file(), f"{quoted} does not exist"


@pytest.mark.parametrize("folder", ["binding", "host"])
def test_outside_includes_only_the_public_headers(folder: str) -> None:
    for path in sources(NATIVE / folder):
        for quoted, _ in INCLUDE.findall(path.read_text()):
            if quoted:
                assert "/" not in quoted, f"{name(path)}: {quoted}"
                assert (path.parent / quoted).is_file(), f"{name(path)}: {quoted}"


def test_public_headers_include_only_public_headers() -> None:
    for path in sources(NATIVE / "include"):
        for quoted, public in INCLUDE.findall(path.read_text()):
            assert not quoted, f"{name(path)}: {quoted}"
            assert (NATIVE / "include" / public).is_file(), f"{name(path)}: {public}"
