"""`penstock models`: what models are, from disk or from a server.

From disk they are loaded and warmed up by the core. A server of ours tells all of it; of another
one its metadata is shown, and what only ours knows is left open. Imports neither numpy nor grpc.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from penstock.bench.flag_values import parse_address
from penstock.commands.listing import ModelListing, TensorListing, listing_of, remote_listings
from penstock.errors import CommandError

__all__ = ["models"]


def models(parsed: argparse.Namespace) -> int:
    """Returns the exit code. Raises PenstockError where nothing can be listed."""
    address = _address(parsed.targets)
    if address is not None:
        listings = remote_listings(address, parsed.model, parsed.timeout_s)
    else:
        listings = _local_listings(parsed.targets, parsed.providers)
    if parsed.model:
        listings = [listing for listing in listings if listing.name in parsed.model]
        missing = sorted(set(parsed.model) - {listing.name for listing in listings})
        if missing:
            raise CommandError(f"no model {', '.join(map(repr, missing))} is there")
    if parsed.json:
        print(json.dumps({"models": [dataclasses.asdict(each) for each in listings]}, indent=2))
    else:
        print(render(listings))
    return 0


def _address(targets: Sequence[str]) -> tuple[str, int] | None:
    """What exists, or ends like a path, is a path; what is left has to be an address, alone."""
    if len(targets) > 1 or Path(targets[0]).exists() or targets[0].endswith((".onnx", "/")):
        return None
    try:
        return parse_address(targets[0])
    except argparse.ArgumentTypeError:
        return None


def _local_listings(
    targets: Sequence[str], providers: tuple[str, ...] | None
) -> list[ModelListing]:
    from penstock.engine import Engine

    settings = {} if providers is None else {"providers": providers}
    with Engine(targets, **settings) as engine:
        return [listing_of(report) for report in engine.models]


def render(listings: Sequence[ModelListing]) -> str:
    """A table, and below each line what does not fit into one. PURE."""
    rows = [("MODEL", "VERSION", "BATCHED", "RUNS", "1 ROW", "MOST ROWS")]
    details: list[list[str]] = [[]]
    for listing in listings:
        rows.append(
            (
                listing.name,
                listing.version,
                _batched(listing),
                listing.execution or "-",
                _duration(listing.l1_us),
                _duration(listing.lmax_us),
            )
        )
        details.append(_details(listing))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row, below in zip(rows, details, strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
        lines += below
    return "\n".join(lines)


def _batched(listing: ModelListing) -> str:
    if listing.batchable is None:
        return "-"
    return f"up to {listing.max_batch_size}" if listing.batchable else "no"


def _details(listing: ModelListing) -> list[str]:
    found = [("inputs", _tensors(listing.inputs)), ("outputs", _tensors(listing.outputs))]
    found += [("preprocessing", chain) for chain in listing.preprocessing]
    found += [("or the model's own inputs", _tensors(listing.raw_inputs))]
    found += [("postprocessing", chain) for chain in listing.postprocessing]
    batching = "batched" if listing.batchable else "not batched"
    found += [
        (batching, listing.batchable_reason or ""),
        (f"runs {listing.execution}", listing.execution_reason or ""),
        ("ragged", listing.ragged or ""),
        ("warm-up", listing.probe_note or ""),
        ("providers", ", ".join(listing.providers or ())),
    ]
    return [f"    {name}: {text}" for name, text in found if text]


def _tensors(tensors: Sequence[TensorListing]) -> str:
    return ", ".join(
        f"{tensor.name} {tensor.datatype} [{','.join(map(str, tensor.shape))}]"
        for tensor in tensors
    )


def _duration(value_us: float | None) -> str:
    if not value_us:
        return "-"
    return f"{value_us:,.1f} us" if value_us < 1e3 else f"{value_us / 1e3:,.1f} ms"
