"""penstock.errors: what the core's codes become."""

from __future__ import annotations

import pickle

import pytest
from penstock.errors import InferError, InvalidRequestError, make_infer_error


@pytest.mark.parametrize("code", range(1, 17))
def test_error_of_a_code_keeps_code_and_text_in_another_process_too(code: int) -> None:
    error = make_infer_error(code, "why")
    copy = pickle.loads(pickle.dumps(error))
    for each in (error, copy):
        assert (type(each), each.code, str(each)) == (type(error), code, "why")
    assert isinstance(error, InvalidRequestError) == (code == 3)


def test_error_that_a_python_step_raises_needs_its_text_alone() -> None:
    error = InvalidRequestError("row 3: no number")
    assert isinstance(error, InferError)
    assert (error.code, str(error)) == (3, "row 3: no number")
