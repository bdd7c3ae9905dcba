"""A step that a function of Python's computes, and the one thread that computes all of them.

The core puts batches into a queue and waits for them; the thread pulls one, calls its function with
NumPy arrays and hands back what it returned. So no thread of the core ever waits for the GIL, and a
function needs no locks against itself.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import logging
import re
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from penstock import _core
from penstock._steps import ChainPlace, Step, StepConfigError, StepFamily
from penstock.errors import InvalidRequestError

__all__ = ["PYTHON", "PythonStep", "TensorDeclaration"]

_Function = Callable[..., Any]

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_INTERNAL = 13
_JOIN_S = 1.0

_logger = logging.getLogger("penstock.python_step")


class TensorDeclaration(Step):
    """One array: its datatype in the protocol's words, and the shape of a row."""

    datatype: str
    # Without the batch's dimension; -1 where it differs.
    shape: tuple[Annotated[int, Field(ge=-1)], ...] = ()


class PythonStep(Step):
    """A function on whole batches: `function(*inputs)` returns an array, or a list of them."""

    function: str
    # Of a step before a model always; behind one it may take what it is given.
    inputs: tuple[TensorDeclaration, ...] = ()
    outputs: Annotated[tuple[TensorDeclaration, ...], Field(min_length=1)]
    # How long a batch may wait for its function and for those before it.
    timeout_ms: Annotated[int, Field(ge=1, le=86_400_000)] = 10_000

    @field_validator("function")
    @classmethod
    def _named(cls, function: str) -> str:
        if not _FUNCTION.fullmatch(function):
            raise ValueError("expected module:function")
        return function


class _Puller:
    """The thread, and the functions that it calls. Functions stay for the life of the process, as
    the modules that hold them do."""

    def __init__(self) -> None:
        self._steps = _core.PythonSteps()
        self._functions: dict[int, tuple[str, _Function]] = {}
        self._thread = threading.Thread(target=self._run, name="penstock-python", daemon=True)
        self._thread.start()
        # While the interpreter still runs: a thread that waits in the core would be torn out of it.
        atexit.register(self._close)

    def transform(self, step: PythonStep, function: _Function) -> _core.Transform:
        transform, number = self._steps.transform(
            inputs=[(port.datatype, port.shape) for port in step.inputs],
            outputs=[(port.datatype, port.shape) for port in step.outputs],
            timeout_ms=step.timeout_ms,
        )
        self._functions[number] = (step.function, function)
        return transform

    def _run(self) -> None:
        while True:
            try:
                pulled = self._steps.pull()
            except Exception:
                _logger.exception("a batch for a Python step could not be made; it has failed")
                continue
            if pulled is None:
                return
            batch, number, arrays = pulled
            name, function = self._functions[number]
            _compute(batch, name, function, arrays)

    def _close(self) -> None:
        self._steps.close()
        # A function that does not end is left to the end of the process.
        self._thread.join(_JOIN_S)


def _compute(
    batch: _core.PythonBatch, name: str, function: _Function, arrays: Sequence[Any]
) -> None:
    """Ends the batch, whatever the function does."""
    try:
        made = function(*arrays)
        fault = batch.finish(list(made) if isinstance(made, tuple | list) else [made])
    except InvalidRequestError as error:
        batch.fail(InvalidRequestError.code, str(error))
    except BaseException as error:
        # What it says may hold paths or other calls' data: the operator's, not the client's.
        _logger.exception("the Python step %s failed", name)
        batch.fail(_INTERNAL, f"a Python step of the model raised {type(error).__name__}")
    else:
        if fault:
            _logger.error("the Python step %s: %s", name, fault)


_lock = threading.Lock()
_puller: _Puller | None = None


def _the_puller() -> _Puller:
    global _puller
    with _lock:
        if _puller is None:
            _puller = _Puller()
        return _puller


def _find_function(name: str, folder: Path) -> _Function:
    """A module that lies in `folder` goes before those that are installed. Raises ValueError."""
    module_name, _, attribute = name.partition(":")
    path = folder / f"{module_name}.py"
    try:
        module = _load(path) if path.is_file() else importlib.import_module(module_name)
    except Exception as error:
        raise ValueError(f"{module_name}: cannot be imported: {error!r}") from error
    function = getattr(module, attribute, None)
    if not callable(function):
        raise ValueError(f"{module_name}: has no function {attribute!r}")
    return function  # type: ignore[no-any-return]


def _load(path: Path) -> Any:
    """As a module of a name of its own: two models may each have a `steps.py`."""
    name = f"_penstock_step_{path.resolve().as_posix()}"
    known = sys.modules.get(name)
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _compile(steps: Sequence[PythonStep], place: ChainPlace) -> _core.Transform:
    if len(steps) > 1:
        raise StepConfigError(1, "stands alone; one function calls the other")
    step = steps[0]
    if place.before and not step.inputs:
        raise StepConfigError(
            0, f"before a model one for each of {', '.join(place.from_)} is needed", "inputs"
        )
    try:
        function = _find_function(step.function, place.folder)
    except ValueError as error:
        raise StepConfigError(0, str(error), "function") from error
    try:
        return _the_puller().transform(step, function)
    except ValueError as error:
        raise StepConfigError(0, str(error)) from None


PYTHON = StepFamily(steps={"python": PythonStep}, compile=_compile, before=True, behind=True)
