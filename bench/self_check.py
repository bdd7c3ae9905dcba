"""Proves, before anything is measured, that the replay client notices wrong answers.

Usage: python -m bench.self_check --programs DIR. A judge that never objects would make every
contender fast: so each fault below is put in on purpose and has to be reported, with its count.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import messages as protocol
from bench.contenders import Paths, all_contenders
from bench.replay import Client, Load
from bench.server_process import running
from bench.workload import Workload, prepare

_REQUESTS = 1000
_FAULT_EVERY = 50
_FAULTS = {
    "status": "grpc-status 13",
    "abort": "grpc-status 8: refused on purpose",
    "bytes": "reply differs from what was expected",
    "length": "reply of",
}


class BlindJudgeError(RuntimeError):
    """The replay client accepted what it should have refused, or the other way round."""


def self_check(client: Client, workload: Workload, programs: Path) -> list[str]:
    """Runs every check; returns what was shown, one line each."""
    small = Load(
        request=workload.request_file("small"),
        expect=workload.echo_file("small"),
        connections=2,
        streams=8,
        requests=_REQUESTS,
    )
    contenders = all_contenders(
        Paths(programs=programs, descriptors=workload.descriptors, model=workload.model)
    )
    shown = []
    for name in ("grpc_callback", "grpc_cq", "grpc_aio"):
        shown += _check_right_and_wrong(client, workload, small, name, contenders[name].command)
    for fault, message in _FAULTS.items():
        command = (
            *contenders["grpc_aio"].command,
            f"--fault={fault}",
            f"--fault-every={_FAULT_EVERY}",
        )
        for result in _run_loads(client, command, [small]):
            _expect(result, small, errors=_REQUESTS // _FAULT_EVERY, message=message)
            shown.append(f"grpc_aio with fault {fault!r}: {result['errors']} noticed")
    return shown


def _check_right_and_wrong(
    client: Client, workload: Workload, small: Load, name: str, command: tuple[str, ...]
) -> list[str]:
    altered = workload.folder / "altered.echo"
    wrong = bytearray(workload.echo_file("small").read_bytes())
    wrong[-1] ^= 0x40
    altered.write_bytes(wrong)
    large = dataclasses.replace(
        small,
        request=workload.request_file("large"),
        expect=workload.echo_file("large"),
        requests=40,
    )
    loads = [
        small,
        large,
        dataclasses.replace(small, expect=altered),
        dataclasses.replace(small, expect=altered, float_tail=4),
        dataclasses.replace(small, path="/inference.GRPCInferenceService/Nothing"),
    ]
    messages = ["", "", "reply differs", "floats of the reply differ", "grpc-status 12"]
    results = _run_loads(client, command, loads)
    for load, result, message in zip(loads, results, messages, strict=True):
        _expect(result, load, errors=load.requests if message else 0, message=message)
    return [f"{name}: {_REQUESTS} right; wrong byte, wrong float, unknown method all noticed"]


def _run_loads(
    client: Client, command: tuple[str, ...], loads: list[Load]
) -> Iterator[dict[str, Any]]:
    with running(command, environment={}, working_directory=protocol.ROOT) as server:
        for load in loads:
            yield client.run(load, port=server.port, server_pids=[server.process.pid])


def _expect(result: dict[str, Any], load: Load, *, errors: int, message: str) -> None:
    if (
        result["errors"] != errors
        or result["exit_code"] != (1 if errors else 0)
        or message not in result["first_error"]
        or result["requests"] + result["errors"] != load.requests
    ):
        raise BlindJudgeError(f"expected {errors} errors saying {message!r}, got {result}")


def main() -> int:
    """Runs the checks by themselves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=protocol.ROOT / "build" / "bench")
    arguments = parser.parse_args()
    client = Client(program=arguments.programs / "replay_client", core=0)
    for line in self_check(client, prepare(arguments.out / "workload"), arguments.programs):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
