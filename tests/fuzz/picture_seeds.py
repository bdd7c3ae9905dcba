"""Seeds for the targets `jpeg` and `png`: small files of every kind, behind their signatures.

PYTHONPATH=tests .venv/bin/python tests/fuzz/picture_seeds.py writes them to tests/fuzz/corpus.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image
from support.pictures import encoded, picture
from support.png_writer import interlaced

CORPUS = Path(__file__).parent / "corpus"


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def jpegs() -> dict[str, bytes]:
    options: dict[str, tuple[str, dict[str, Any]]] = {
        "plain": ("RGB", {}),
        "grey": ("L", {"optimize": True}),
        "cmyk": ("CMYK", {}),
        "progressive": ("RGB", {"progressive": True}),
        "subsampled": ("RGB", {"subsampling": "4:4:4", "quality": 95}),
        "restarts": ("RGB", {"restart_marker_blocks": 1}),
        "turned": ("RGB", {"exif": turned(6)}),
        "text": ("L", {"comment": b"a comment"}),
    }
    return {
        name: encoded(picture(24, 17, mode), "JPEG", **choice)[2:]
        for name, (mode, choice) in options.items()
    }


def pngs() -> dict[str, bytes]:
    files = {
        mode.lower(): encoded(picture(19, 13, mode)) for mode in ("L", "LA", "P", "RGB", "RGBA")
    }
    files["one_bit"] = encoded(picture(19, 13, "L").convert("1"))
    files["sixteen_bits"] = encoded(picture(9, 7, "L").convert("I;16"))
    files["interlaced"] = interlaced(picture(19, 13))
    files["turned"] = encoded(picture(19, 13), exif=turned(3))
    files["transparent"] = encoded(picture(19, 13, "P"), transparency=3)
    return {name: file[8:] for name, file in files.items()}


if __name__ == "__main__":
    for target, seeds in (("jpeg", jpegs()), ("png", pngs())):
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name, seed in seeds.items():
            (CORPUS / target / f"seed-{name}").write_bytes(seed)
