"""A server whose live counts a test can read, from another process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from support.waiting import wait_until

TIMEOUT_S = 60.0


class CountedServer:
    """support/counted_server.py as a process; the settings are those of the server and of every
    model."""

    def __init__(
        self,
        *models: Path,
        server: Mapping[str, object] | None = None,
        model: Mapping[str, object] | None = None,
    ) -> None:
        program = Path(__file__).parent / "counted_server.py"
        settings = json.dumps({"server": dict(server or {}), "model": dict(model or {})})
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", program, settings, *models],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self._line().removeprefix("ready ")

    def counts(self) -> dict[str, int]:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        made: dict[str, int] = json.loads(self._line())
        return made

    def wait_until_at_rest(self) -> dict[str, int]:
        live = ("connections", "calls", "buffers")
        wait_until(lambda: not any(map(self.counts().get, live)), otherwise=lambda: self.counts())
        return self.counts()

    def stop(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        code = self.process.wait(TIMEOUT_S)
        self.process.stdout.close()
        return code

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().removesuffix("\n")
