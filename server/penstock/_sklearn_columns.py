"""PURE. What scikit-learn's transformers do to a column, as the steps that _tabular_steps names.

A column on its way is a `Value`: where it comes from and the steps so far. Where a transformer
makes several columns of one (one-hot, hashing), each is a `Slot` of what they share, so that what
picks columns behind it can be followed. `features_of` puts them together again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

__all__ = [
    "Cell",
    "Hashed",
    "Kinds",
    "NoEqualError",
    "OneHotSpread",
    "Slot",
    "Value",
    "features_of",
]


class NoEqualError(Exception):
    """Why a transformer cannot be exported; its text goes on behind the transformer's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One number or text of a row."""

    column: str
    steps: tuple[dict[str, Any], ...] = ()
    refuse_missing: bool = False

    def then(self, name: str, **settings: Any) -> Value:
        return replace(self, steps=(*self.steps, {name: settings}))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OneHotSpread:
    """slots: of each category, -1 where it has none."""

    value: Value
    categories: list[Any]
    slots: list[int]
    unknown: int | None  # a slot, -1 for none, None: refused


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hashed:
    """Columns hashed into `buckets` slots."""

    columns: tuple[str, ...]
    buckets: int
    alternate_sign: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """One of the numbers that a spread makes."""

    spread: OneHotSpread | Hashed
    index: int


Cell: TypeAlias = Value | Slot


@dataclass(slots=True, kw_only=True)
class Kinds:
    """What columns turn out to hold: text, integer, bool, or float, which may be missing."""

    named: bool  # the columns of a frame
    found: dict[str, set[str]] = field(default_factory=dict)

    def learn(self, cell: Value, kind: str) -> None:
        """Of a column: behind a step that makes other numbers of it, nothing is learned."""
        if all("impute" in step for step in cell.steps):
            self.found.setdefault(cell.column, set()).add(kind)

    def of(self, column: str) -> set[str]:
        return self.found.get(column, set())


@dataclass(slots=True)
class _Run:
    """Slots of one spread that stand one behind another."""

    spread: OneHotSpread | Hashed
    indices: list[int] = field(default_factory=list)


def features_of(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """The `features` of a `columns` step. Raises ValueError where a hash is not whole."""
    return [
        _feature(item) if isinstance(item, Value) else _spread_feature(item)
        for item in _grouped(cells)
    ]


def _grouped(cells: Sequence[Cell]) -> Iterator[Value | _Run]:
    run: _Run | None = None
    for cell in cells:
        if run is not None and isinstance(cell, Slot) and _goes_on(run, cell):
            run.indices.append(cell.index)
            continue
        if run is not None:
            yield run
        run = _Run(cell.spread, [cell.index]) if isinstance(cell, Slot) else None
        if isinstance(cell, Value):
            yield cell
    if run is not None:
        yield run


def _goes_on(run: _Run, cell: Slot) -> bool:
    return cell.spread is run.spread and cell.index > run.indices[-1]


def _feature(value: Value) -> dict[str, Any]:
    made: dict[str, Any] = {"column": value.column}
    if value.steps:
        made["steps"] = [dict(step) for step in value.steps]
    if value.refuse_missing:
        made["missing"] = "error"
    return made


def _spread_feature(run: _Run) -> dict[str, Any]:
    spread = run.spread
    if isinstance(spread, Hashed):
        if run.indices != list(range(spread.buckets)):
            raise ValueError("only some columns of a hash are used")
        settings = {"buckets": spread.buckets, "alternate_sign": spread.alternate_sign}
        return {"columns": list(spread.columns), "steps": [{"hash": settings}]}
    return _feature(spread.value.then("one_hot", **_one_hot(spread, run.indices)))


def _one_hot(spread: OneHotSpread, kept: Sequence[int]) -> dict[str, Any]:
    """The settings of a one_hot whose columns are the slots that are kept."""
    by_slot: dict[int, list[Any]] = {slot: [] for slot in kept}
    dropped: list[Any] = []
    for category, slot in zip(spread.categories, spread.slots, strict=True):
        by_slot.get(slot, dropped).append(category)
    settings: dict[str, Any] = {}
    # Several may share the last slot; unknown ones go there as well, or nowhere.
    shared = [slot for slot in kept if len(by_slot[slot]) != 1 or slot == spread.unknown]
    if shared not in ([], [kept[-1]]):
        raise ValueError("several categories share a column that is not the last")
    settings["categories"] = [by_slot[slot][0] for slot in kept if slot not in shared]
    if dropped:
        settings["dropped"] = dropped
    if shared:
        settings["other"] = by_slot[shared[0]]
    if spread.unknown is not None:
        settings["unknown"] = "other" if spread.unknown in shared else "zeros"
    return settings
