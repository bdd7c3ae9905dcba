"""`penstock infer`: one request through the Python client, the answer for reading or for programs.

Needs `penstock-client`, which `penstock` never imports elsewhere, and with it NumPy and grpc.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import CommandError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from penstock_client import InferResult, TensorMetadata

__all__ = ["infer"]


def infer(parsed: argparse.Namespace) -> int:
    """Returns the exit code. Raises CommandError where there is no answer."""
    try:
        import penstock_client
    except ImportError as error:
        raise CommandError(
            f"`penstock infer` needs the client: run `pip install 'penstock[client]'` ({error})"
        ) from None
    host, port = parsed.address
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        with penstock_client.Client(address, timeout=parsed.timeout_s) as client:
            declared = client.model_metadata(parsed.model, version=parsed.version).inputs
            inputs = read_inputs(parsed.inputs, declared)
            datatypes = {each.name: each.datatype for each in declared if each.datatype == "BF16"}
            result = client.infer(
                parsed.model,
                inputs,
                version=parsed.version,
                outputs=parsed.outputs,
                datatypes=datatypes,
            )
    except penstock_client.PenstockClientError as error:
        raise CommandError(f"{address}: {error}") from None
    if parsed.save is not None:
        _save(result, Path(parsed.save))
    elif parsed.json:
        print(json.dumps(as_json(result), indent=2))
    else:
        print(as_text(result))
    return 0


def read_inputs(
    given: Sequence[tuple[str, str]], declared: Sequence[TensorMetadata]
) -> dict[str, NDArray[Any]]:
    datatypes = {each.name: each for each in declared}
    inputs: dict[str, NDArray[Any]] = {}
    for name, text in given:
        if name not in datatypes:
            raise CommandError(f"--input {name}: the model takes {', '.join(datatypes)}")
        if name in inputs:
            raise CommandError(f"--input {name}: given more than once")
        inputs[name] = _read_value(name, text, datatypes[name])
    missing = [name for name in datatypes if name not in inputs]
    if missing:
        raise CommandError(f"--input is missing for {', '.join(missing)}")
    return inputs


def _read_value(name: str, text: str, declared: TensorMetadata) -> NDArray[Any]:
    import numpy

    if not text.startswith("@"):
        if declared.datatype == "BYTES" and not text.startswith("["):
            return _one_element(text.encode("utf-8", "surrogateescape"), declared)
        return _array_of_json(name, text, declared)
    path = Path(text[1:])
    try:
        if path.suffix == ".npy":
            array: NDArray[Any] = numpy.load(path, allow_pickle=False)
            return array.astype(object) if array.dtype.kind in "SU" else array
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise CommandError(f"--input {name}: {path}: {error}") from None
    if path.suffix == ".json":
        return _array_of_json(name, content.decode("utf-8", "replace"), declared)
    if declared.datatype != "BYTES":
        raise CommandError(
            f"--input {name}: {path}: a .npy or .json file is needed for {declared.datatype}"
        )
    return _one_element(content, declared)


def _one_element(content: bytes, declared: TensorMetadata) -> NDArray[Any]:
    import numpy

    element: NDArray[Any] = numpy.empty((1,) * max(1, len(declared.shape)), dtype=object)
    element.flat[0] = content
    return element


def _array_of_json(name: str, text: str, declared: TensorMetadata) -> NDArray[Any]:
    import numpy

    try:
        value = json.loads(text)
        if declared.datatype == "BYTES":
            array = numpy.array(value, dtype=object)
            wrong = [each for each in array.ravel() if not isinstance(each, str)]
            if wrong:
                raise ValueError(f"{wrong[0]!r} is no text")
            return array
        from penstock._dtypes import dtype_of

        return numpy.array(value, dtype=dtype_of(declared.datatype))
    except (ValueError, TypeError, OverflowError, KeyError) as error:
        raise CommandError(
            f"--input {name}: is no JSON of {declared.datatype} values, all rows alike: {error}"
        ) from None


def as_json(result: InferResult) -> dict[str, object]:
    """Data in a flat list, row-major; what JSON has no number for is text. BYTES that are not UTF-8
    are {"base64": ...}."""
    return {
        "model_name": result.model,
        "model_version": result.version,
        "outputs": [
            {
                "name": name,
                "datatype": result.datatypes[name],
                "shape": list(array.shape),
                "data": [_json_value(value) for value in array.ravel().tolist()],
            }
            for name, array in result.items()
        ],
    }


def _json_value(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    return value


def as_text(result: InferResult) -> str:
    import numpy

    return "\n".join(
        f"{name} {result.datatypes[name]} [{','.join(map(str, array.shape))}]\n"
        f"{numpy.array2string(array, threshold=200)}"
        for name, array in result.items()
    )


def _save(result: InferResult, folder: Path) -> None:
    import numpy

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in result.items():
            # The server chooses names; none leads out of the folder, and none is hidden.
            path = folder / (name.replace("/", "_").lstrip(".") or "_")
            if array.dtype == object:  # BYTES: NumPy would have to pickle them
                path = path.with_name(path.name + ".json")
                path.write_text(json.dumps([_json_value(each) for each in array.ravel()]))
            else:
                path = path.with_name(path.name + ".npy")
                numpy.save(path, array)
            print(path)
    except OSError as error:
        raise CommandError(f"--save {folder}: {error.strerror or error}") from None
