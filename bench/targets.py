"""PURE. What the benchmark has to show, and the load of each scenario, as data."""

from __future__ import annotations

from dataclasses import dataclass

from bench.figures import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A load and who is put under it, in the order in which they take turns."""

    name: str
    title: str
    message: str  # which recorded request: "small" or "large"
    connections: int
    streams: int
    contenders: tuple[str, ...]


SCENARIOS = (
    Scenario(
        name="small",
        title="282-byte ModelInfer, 8 connections x 16 streams",
        message="small",
        connections=8,
        streams=16,
        contenders=(
            "penstock",
            "penstock_uncounted",
            "echo",
            "grpc_callback",
            "grpc_cq",
            "grpc_aio",
        ),
    ),
    Scenario(
        name="single",
        title="282-byte ModelInfer, 1 connection, 1 stream",
        message="small",
        connections=1,
        streams=1,
        contenders=("penstock", "echo", "tcp_echo", "grpc_callback", "grpc_cq", "grpc_aio"),
    ),
    Scenario(
        name="large",
        title="602 KB ModelInfer echo, 4 connections x 2 streams",
        message="large",
        connections=4,
        streams=2,
        contenders=(
            "echo",
            "tcp_echo",
            "grpc_callback",
            "grpc_cq",
            "grpc_callback_warm",
            "grpc_cq_warm",
            "grpc_aio",
        ),
    ),
)


def _cpu(what: str, scenario: str, subject: str, against: str, bound: float) -> Target:
    return Target(
        what=what,
        scenario=scenario,
        quantity="cpu_us",
        subject=subject,
        against=against,
        bound=bound,
        faster=True,
    )


def _trip(what: str, subject: str, against: str, bound: float) -> Target:
    return Target(
        what=what,
        scenario="single",
        quantity="p50_us",
        subject=subject,
        against=against,
        bound=bound,
    )


_MODEL = "model, CPU per request, against"
_ECHO = "echo on our frontend, CPU per request, against"

TARGETS = (
    Target(
        what="server CPU per request, MLP 64-128-64-10, one row, ONNX Runtime included",
        scenario="small",
        quantity="cpu_us",
        subject="penstock",
        against=None,
        bound=4.2,
    ),
    Target(
        what=f"{_MODEL} the same without metrics of models",
        scenario="small",
        quantity="cpu_us",
        subject="penstock",
        against="penstock_uncounted",
        bound=1.02,
    ),
    _cpu(f"{_MODEL} a grpc.aio echo", "small", "penstock", "grpc_aio", 60),
    _cpu(f"{_ECHO} gRPC C++ callback", "small", "echo", "grpc_callback", 7),
    _cpu(f"{_ECHO} gRPC C++ completion queue", "small", "echo", "grpc_cq", 4),
    _cpu(f"{_MODEL} the gRPC C++ callback echo", "small", "penstock", "grpc_callback", 4.5),
    _cpu(f"{_MODEL} the gRPC C++ completion queue echo", "small", "penstock", "grpc_cq", 3),
    _trip("echo, median round trip, against raw TCP", "echo", "tcp_echo", 1.25),
    _trip("model, median round trip, against raw TCP", "penstock", "tcp_echo", 1.25),
    _trip("model, median round trip, against gRPC C++ callback", "penstock", "grpc_callback", 1),
    _trip("model, median round trip, against gRPC C++ queue", "penstock", "grpc_cq", 1),
    _cpu(f"602 KB: {_ECHO} gRPC C++ callback", "large", "echo", "grpc_callback", 2),
    _cpu(f"602 KB: {_ECHO} gRPC C++ completion queue", "large", "echo", "grpc_cq", 2),
)
