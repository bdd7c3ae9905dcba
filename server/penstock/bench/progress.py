"""The progress bar, on standard error and only where that is a terminal. Draws, decides nothing."""

from __future__ import annotations

import shutil
from typing import TextIO

from penstock import _core
from penstock.bench.summary import milliseconds

__all__ = ["Progress"]

_BAR_LEN = 20
_ERASE_LINE = "\r\x1b[2K"


class Progress:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn = False
        self._terminal = stream.isatty()

    def show(self, progress: _core.LoadProgress) -> None:
        if not self._terminal:
            return
        width = shutil.get_terminal_size().columns
        self._stream.write(_ERASE_LINE + _line(progress)[: width - 1])
        self._stream.flush()
        self._drawn = True

    def clear(self) -> None:
        if self._drawn:
            self._stream.write(_ERASE_LINE)
            self._stream.flush()
            self._drawn = False


def _line(progress: _core.LoadProgress) -> str:
    if not progress.connected:
        return "connecting"
    if progress.warming:
        return "warming up"
    share = min(1.0, progress.elapsed_s / progress.total_s) if progress.total_s > 0 else 0.0
    full = round(share * _BAR_LEN)
    return (
        f"[{'#' * full}{'.' * (_BAR_LEN - full)}] "
        f"{progress.elapsed_s:.1f}/{progress.total_s:.1f} s  offered {progress.offered:,}  "
        f"ok {progress.ok:,}  failed {progress.failed:,}  waiting {progress.in_flight:,}  "
        f"p50 {milliseconds(progress.p50_us)} ms  p99 {milliseconds(progress.p99_us)} ms"
    )
