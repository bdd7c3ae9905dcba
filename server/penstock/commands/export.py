"""`penstock export-preprocessing`: a fitted scikit-learn pipeline as a model.yaml and a model.onnx.

Reading the pickle runs whatever is in it, as every reader of pickles does; the help says so.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from penstock.errors import CommandError

__all__ = ["export_preprocessing"]


def export_preprocessing(parsed: argparse.Namespace) -> int:
    """Returns the exit code. Raises PenstockError where something cannot be exported."""
    for path in (parsed.output, parsed.onnx):
        if path is not None and path.exists():
            raise CommandError(f"{path}: is there already; remove it or name another file")
    fitted = _load(parsed.pipeline)
    from penstock._sklearn_export import export_columns

    exported = export_columns(fitted, parsed.numbers, {})
    text = _as_yaml({"preprocessing": [exported.chain(parsed.to)]})
    if parsed.onnx is not None:
        if exported.estimator is None:
            raise CommandError("--onnx: the pipeline does not end in an estimator")
        parsed.onnx.write_bytes(_as_onnx(exported.estimator, parsed.to, exported.width))
    if parsed.output is None:
        sys.stdout.write(text)
    else:
        parsed.output.write_text(text, encoding="utf-8")
    if exported.estimator is not None and parsed.onnx is None:
        name = type(exported.estimator).__name__
        print(f"penstock: the estimator at the end, {name}, is left out; --onnx", file=sys.stderr)
    return 0


def _load(path: Path) -> Any:
    try:
        import joblib
    except ImportError:
        raise CommandError(
            "scikit-learn is needed to read a fitted pipeline: pip install scikit-learn"
        ) from None
    if not path.is_file():
        raise CommandError(f"{path}: no such file")
    try:
        return joblib.load(path)
    except Exception as error:  # whatever the pickle raises
        raise CommandError(f"{path}: cannot be read: {type(error).__name__}: {error}") from error


def _as_yaml(config: dict[str, Any]) -> str:
    import yaml

    # Lists of numbers on as few lines as they need, everything else a line each.
    return yaml.safe_dump(
        config, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None
    )


def _as_onnx(estimator: Any, name: str, width: int) -> bytes:
    try:
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType
    except ImportError:
        raise CommandError("--onnx needs skl2onnx: pip install skl2onnx") from None
    # Probabilities as a tensor, not as a list of maps.
    options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None
    try:
        model = to_onnx(
            estimator, initial_types=[(name, FloatTensorType([None, width]))], options=options
        )
    except Exception as error:  # it has many of its own
        raise CommandError(
            f"--onnx: skl2onnx cannot convert {type(estimator).__name__}: {error}"
        ) from error
    data: bytes = model.SerializeToString()
    return data
