"""Trains the demo model on scikit-learn's digits (real 8x8 scans) and exports it to ONNX.

Writes, beside itself: digits.onnx, metrics.json (accuracy on scans that training never saw) and
held_out.json (some of those scans, so that send.py needs neither scikit-learn nor the data set).
Run it only to change the model: `pip install scikit-learn onnx`, then this file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

FOLDER = Path(__file__).resolve().parent
SEED = 7
HELD_OUT_SHARE = 0.25
HIDDEN_LAYERS = (128, 64)
PIXEL_MAX = 16.0
SAMPLES_PER_DIGIT = 3

# onnx's own defaults are newer than what ONNX Runtime reads; these load from 1.20 on.
IR_VERSION = 10
OPSET = 21


def main() -> None:
    digits = load_digits()
    train_images, test_images, train_labels, test_labels = train_test_split(
        digits.data.astype(np.float32),
        digits.target,
        test_size=HELD_OUT_SHARE,
        random_state=SEED,
        stratify=digits.target,
    )
    network = MLPClassifier(hidden_layer_sizes=HIDDEN_LAYERS, max_iter=400, random_state=SEED)
    network.fit(train_images / PIXEL_MAX, train_labels)

    model = export(network)
    onnx.checker.check_model(model, full_check=True)
    # Judged is what is served: the exported graph, not the object it was made from.
    outputs: Any = ReferenceEvaluator(model).run(None, {"image": test_images})
    probabilities = outputs[0]
    np.testing.assert_allclose(
        probabilities, network.predict_proba(test_images / PIXEL_MAX), atol=1e-5
    )
    metrics = {
        "held_out_accuracy": round(float((probabilities.argmax(axis=1) == test_labels).mean()), 4),
        "held_out_images": len(test_labels),
        "training_images": len(train_labels),
        "seed": SEED,
    }
    onnx.save(model, FOLDER / "digits.onnx")
    write_json("metrics.json", metrics)
    seen = probabilities.argmax(axis=1)
    write_json("held_out.json", held_out_samples(test_images, test_labels, seen))
    print(json.dumps(metrics))


def export(network: MLPClassifier) -> onnx.ModelProto:
    """The network as Gemm and Relu, a Softmax at the end, and the pixels' scale folded in.

    Written out by hand instead of converted: converters add a label output and a list of maps,
    which no tensor protocol can carry.
    """
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    value = "image"
    for layer, (weights, biases) in enumerate(
        zip(network.coefs_, network.intercepts_, strict=True)
    ):
        scale = 1 / PIXEL_MAX if layer == 0 else 1.0
        constants.append(constant(f"weights{layer}", weights * scale))
        constants.append(constant(f"biases{layer}", biases))
        last = layer == len(HIDDEN_LAYERS)
        sums = "logits" if last else f"sums{layer}"
        nodes.append(helper.make_node("Gemm", [value, f"weights{layer}", f"biases{layer}"], [sums]))
        if not last:
            value = f"hidden{layer}"
            nodes.append(helper.make_node("Relu", [sums], [value]))
    nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])],
        constants,
        doc_string="8x8 scans of digits, pixels 0 (paper) to 16 (ink), row by row.",
    )
    return helper.make_model(
        graph,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="penstock-examples-digits",
    )


def constant(name: str, values: NDArray[Any]) -> onnx.TensorProto:
    return numpy_helper.from_array(values.astype(np.float32), name)


def held_out_samples(
    images: NDArray[Any], labels: NDArray[Any], seen: NDArray[Any]
) -> list[dict[str, Any]]:
    """The first few of each digit, good ones and bad ones as they come. `seen` is the model's
    answer, right or wrong: load tests compare a server's answers with it."""
    rows = [
        row for digit in range(10) for row in np.flatnonzero(labels == digit)[:SAMPLES_PER_DIGIT]
    ]
    return [
        {
            "label": int(labels[row]),
            "seen": int(seen[row]),
            "image": images[row].astype(int).tolist(),
        }
        for row in rows
    ]


def write_json(name: str, value: Any) -> None:
    """One list element a line, so that a change is readable."""
    if isinstance(value, list):
        text = "[\n" + ",\n".join(json.dumps(element) for element in value) + "\n]\n"
    else:
        text = json.dumps(value, indent=2) + "\n"
    (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
