"""penstock.Engine.metrics_text: calls without a network are counted as those of a server are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from penstock import Engine, InvalidRequestError
from prometheus_client.parser import text_string_to_metric_families

CALLS = 40
TIMEOUT_S = 60.0


def samples(engine: Engine) -> dict[tuple[str, str], float]:
    """By name and by the value of the last label that is neither model nor version."""
    found = {}
    for family in text_string_to_metric_families(engine.metrics_text().decode()):
        for sample in family.samples:
            kinds = [v for k, v in sample.labels.items() if k not in ("model", "version")]
            found[sample.name, kinds[-1] if kinds else ""] = sample.value
    return found


@pytest.mark.parametrize("execution", ["inline", "pool"])
def test_calls_rows_and_runs_are_those_made(test_models: Path, execution: str) -> None:
    with Engine(test_models / "mlp.onnx", execution=execution) as engine:
        for _ in range(CALLS):
            engine.infer("mlp", {"x": np.zeros((3, 64), np.float32)})
        with pytest.raises(InvalidRequestError):
            engine.infer("mlp", {"x": np.zeros((1, 63), np.float32)})
        seen = samples(engine)
        assert seen["penstock_model_calls_total", "OK"] == CALLS
        assert seen["penstock_model_calls_total", "INVALID_ARGUMENT"] == 1
        assert seen["penstock_model_rows_total", ""] == 3 * CALLS
        assert seen["penstock_model_batch_rows_count", ""] == CALLS
        assert seen["penstock_model_batch_rows_sum", ""] == 3 * CALLS
        # A brief run is timed one in sixteen times, for those before it too.
        timed = seen["penstock_model_run_seconds_count", ""]
        assert timed == CALLS if execution == "pool" else CALLS - 16 < timed <= CALLS
        for stage in ("decode", "queue", "run", "respond"):
            assert seen["penstock_model_stage_seconds_count", stage] == timed
        assert 0 < seen["penstock_model_stage_seconds_sum", "run"] < TIMEOUT_S
        assert 0 < seen["penstock_model_cpu_seconds_total", ""] < TIMEOUT_S


def test_batched_calls_share_runs(test_models: Path) -> None:
    with Engine(test_models / "mlp.onnx", execution="pool") as engine:

        async def ask() -> None:
            x = np.zeros((1, 64), np.float32)
            await asyncio.gather(*(engine.infer_async("mlp", {"x": x}) for _ in range(CALLS)))

        asyncio.run(ask())
        seen = samples(engine)
        assert seen["penstock_model_calls_total", "OK"] == CALLS
        assert seen["penstock_model_batch_rows_sum", ""] == CALLS
        assert seen["penstock_model_run_seconds_count", ""] <= CALLS
        for stage in ("decode", "queue", "run", "respond"):
            assert seen["penstock_model_stage_seconds_count", stage] == CALLS
