"""`penstock.Engine`: models in this process, without a network.

The same core as the server's: models are warmed up, run on its scheduler and batched with what
other threads and tasks ask at the same time. Importing this module loads the core; NumPy comes with
the first call.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock._context import EndsWithItsBlock
from penstock._loading import Paths, core_arguments, drain_ms
from penstock.errors import DeadlineError, start_error

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from penstock.columns import Table

    Answer = dict[str, NDArray[Any]]

__all__ = ["Engine"]


class Engine(EndsWithItsBlock, _core.Engine):
    """Loads models and runs them, from any thread and from asyncio.

        with Engine("model.onnx") as engine:
            answer = engine.infer("model", {"x": numpy.zeros((1, 64), numpy.float32)})
            answer["y"]

    paths: an .onnx file, a model repository, or several of them. settings: those of `penstock
    serve` by their names in docs/reference/settings.md, of the server (`providers=("cuda", "cpu")`,
    `log_level="info"`) or of every model (`max_batch_size=32`); those of a network mean nothing
    here. The log says only warnings unless `log_level` is given.

    Raises ConfigError, RepositoryError, RuntimeLibraryError or ServerError where it cannot start.
    In a forked child every method raises RuntimeError: make the engine after the fork.

    `infer(model, inputs, outputs=None, *, timeout=None, version=None)` returns the outputs by name.
    inputs maps each input's name to an array (or what numpy.asarray takes); the first dimension of
    a batchable model is the rows, one or more. Dtypes must be the model's own: nothing is cast.
    One array is the input of a model with one. A DataFrame, a list of dicts (rows) or a list of
    columns is converted to what the model takes, as by penstock.columns.from_columns.
    BYTES are object arrays of bytes (or str, as UTF-8). A BF16 input is ml_dtypes.bfloat16, or its
    bits as uint16; an output is float32, exactly. C-contiguous arrays are read in place: do not
    write to them until infer returns.
    outputs: which to return, in this order; None: all. timeout: seconds that the call may wait
    for its turn; a run that has begun is waited for. version: as text; None: the highest.

    The arrays that it returns are read-only views of the memory that the batch's outputs came in,
    which lives as long as one of them does: copy what you keep for long or want to write to.

    Raises an InferError, or one of its kinds: InvalidRequestError, NotFoundError, DeadlineError,
    OverloadedError (also where the queue makes it certain that the timeout would pass),
    UnavailableError; TypeError and ValueError for arguments of the wrong kind.
    """

    def __init__(self, paths: Paths, **settings: object) -> None:
        self.options, sources = core_arguments(paths, {"log_level": "warning", **settings})
        try:
            super().__init__(self.options, sources)
        except _core.Error as error:
            raise start_error(error) from None
        self._dispatcher: threading.Thread | None = None
        self._dispatcher_lock = threading.Lock()
        _close_at_exit(self)

    @property
    def models(self) -> list[_core.ModelReport]:
        """One for each version that is loaded: name, inputs, outputs, how it is run and why."""
        return self.reports

    async def infer_async(
        self,
        model: str,
        inputs: Mapping[str, ArrayLike] | ArrayLike | Table,
        outputs: Sequence[str] | None = None,
        *,
        timeout: float | None = None,
        version: str | None = None,
    ) -> Answer:
        """As `infer`, without blocking the event loop (for longer than 10 us: a run that short is
        done at once). Cancelling takes the call out of its queue; a run that has begun goes on, and
        reads the inputs until it ends. At the timeout DeadlineError is raised in either case."""
        loop = asyncio.get_running_loop()
        pending = _Pending(engine=self, loop=loop, future=loop.create_future())
        if self._dispatcher is None:
            self._start_dispatcher()
        answer = self.submit(
            model, inputs, outputs, timeout=timeout, version=version, token=pending
        )
        if answer is not None:
            return answer
        try:
            async with asyncio.timeout(timeout):
                return await pending.future
        except TimeoutError:
            self.cancel(pending)
            raise DeadlineError("the deadline passed") from None
        except asyncio.CancelledError:
            self.cancel(pending)
            raise

    def close(self, drain_timeout_s: float | None = None) -> bool:
        """Refuses new calls and waits for those begun, for drain_timeout_s (the setting
        drain_timeout_ms) at most; the others fail. Returns whether all ended well. Again, it does
        nothing."""
        finished = self.stop(drain_ms(self.options, drain_timeout_s))
        dispatcher = self._dispatcher
        if dispatcher is not None and dispatcher is not threading.current_thread():
            dispatcher.join()
        return finished

    def _end(self) -> None:
        self.close()

    def _start_dispatcher(self) -> None:
        with self._dispatcher_lock:
            if self._dispatcher is None:
                # A daemon, so that an engine that nobody closes does not keep the process; it ends
                # with the engine.
                thread = threading.Thread(
                    target=_dispatch,
                    args=(_core.EngineFinished(self),),
                    name="penstock-finished",
                    daemon=True,
                )
                thread.start()
                self._dispatcher = thread


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pending:
    """A submitted call. Keeps its engine alive until it has ended."""

    engine: Engine
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Answer]


_Ended = tuple[_Pending, bool, "Answer | Exception"]


def _dispatch(finished: _core.EngineFinished) -> None:
    """The dispatcher's thread: pulls ended calls from the core and hands them to their loops, one
    wake-up for all that ended together. Must not hold the engine, or it would never end."""
    while ended := finished.next():
        by_loop: dict[asyncio.AbstractEventLoop, list[_Ended]] = {}
        for item in ended:
            by_loop.setdefault(item[0].loop, []).append(item)
        while by_loop:
            loop, items = by_loop.popitem()
            try:
                loop.call_soon_threadsafe(_settle, items)
            except RuntimeError:
                # The loop is closed, and with it everyone who waited.
                continue
        del ended, item, items


def _settle(ended: list[_Ended]) -> None:
    for pending, ok, answer in ended:
        if pending.future.done():  # cancelled, or past its deadline
            continue
        if ok:
            pending.future.set_result(answer)  # type: ignore[arg-type]
        else:
            pending.future.set_exception(answer)  # type: ignore[arg-type]


def _close_at_exit(engine: Engine) -> None:
    """The core's threads must end before the interpreter does."""
    reference = weakref.ref(engine)

    def close() -> None:
        living = reference()
        if living is not None:
            living.close(0)

    atexit.register(close)
    weakref.finalize(engine, atexit.unregister, close)
