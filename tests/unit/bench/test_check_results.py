"""The comparison with ONNX Runtime, against stand-ins for it whose rounding is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("grpc")

from bench import check_results
from bench.check_results import Observed
from bench.workload import FloatArray

_POOL: FloatArray = np.random.default_rng(5).standard_normal((16, 4), dtype=np.float32)


class _RowWise:
    """Doubles each row, with an error in the last place that depends on the batch size."""

    def run(self, rows: FloatArray) -> FloatArray:
        return rows * np.float32(2) * np.float32(1 + len(rows) * 2**-23)


class _ByPosition:
    def run(self, rows: FloatArray) -> FloatArray:
        error = 1 + np.arange(len(rows), dtype=np.float32) * np.float32(2**-23)
        return rows * error.astype(np.float32)[:, None]


class _Mixing:
    """Not row-wise: what a wrongly batched model does."""

    def run(self, rows: FloatArray) -> FloatArray:
        return (rows - rows.mean(axis=0)).astype(np.float32)


def _observed(engine: _RowWise | _ByPosition, sizes: Sequence[int]) -> list[Observed]:
    seen = []
    for size in sizes:
        output = engine.run(_POOL[:size])
        for row in range(size):
            each = Observed(
                rows=(row,), batch_size=size, batch_row=row, output=output[row : row + 1]
            )
            seen.append(each)
    return seen


def test_verify_equal_bits_at_each_size_passes() -> None:
    shown = check_results.verify(_observed(_RowWise(), [1, 2, 9]), _RowWise(), _POOL)
    assert shown[0].startswith("12 responses bit-equal")


def test_verify_position_dependent_rounding_uses_the_reported_row() -> None:
    shown = check_results.verify(_observed(_ByPosition(), [1, 2, 9]), _ByPosition(), _POOL)
    assert "position matters: [2, 9]" in shown[2]


def test_verify_one_wrong_bit_raises() -> None:
    observed = _observed(_RowWise(), [1, 2, 9])
    output = observed[-1].output.copy()
    output.view(np.int32)[0, 0] ^= 1
    observed[-1] = Observed(rows=(8,), batch_size=9, batch_row=8, output=output)
    with pytest.raises(check_results.ResultError, match="batch of 9 at 8"):
        check_results.verify(observed, _RowWise(), _POOL)


def test_verify_batch_size_that_did_not_run_raises() -> None:
    observed = _observed(_RowWise(), [1, 2, 9])
    claimed = Observed(rows=(0,), batch_size=9, batch_row=0, output=observed[0].output)
    with pytest.raises(check_results.ResultError, match="batch of 9"):
        check_results.verify([*observed, claimed], _RowWise(), _POOL)


def test_verify_only_small_batches_shows_nothing_and_raises() -> None:
    with pytest.raises(check_results.ResultError, match="too few batch sizes"):
        check_results.verify(_observed(_RowWise(), [1, 2, 3]), _RowWise(), _POOL)


def test_check_neighbours_mixing_model_raises() -> None:
    with pytest.raises(check_results.ResultError, match="neighbours"):
        check_results.check_neighbours(_Mixing(), _POOL, 3)


def test_expected_rows_covers_the_pool_when_the_size_does_not_divide_it() -> None:
    results = check_results.expected_rows(_RowWise(), _POOL, 5, None)
    assert results == [row.tobytes() for row in _POOL * np.float32(2) * np.float32(1 + 5 * 2**-23)]
