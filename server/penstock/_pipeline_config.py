"""Reads what a configuration declares before and behind a model, and compiles it.

Every complaint begins with the key's path: `preprocessing[0].steps[1].resize.filter: ...`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from penstock import _core
from penstock._image_steps import IMAGE
from penstock._post_steps import POST
from penstock._problems import describe_problems
from penstock._python_step import PYTHON
from penstock._steps import ChainPlace, InputDeclaration, Step, StepConfigError, StepFamily
from penstock._tabular_steps import TABULAR
from penstock._text_steps import TEXT
from penstock.errors import ConfigError

__all__ = [
    "PIPELINE_KEYS",
    "Chain",
    "PipelineConfig",
    "inputs_of",
    "read_chains",
    "read_pipeline",
    "read_steps",
]

# Every family of steps.
_FAMILIES: tuple[StepFamily, ...] = (IMAGE, TEXT, TABULAR, POST, PYTHON)

PIPELINE_KEYS = ("preprocessing", "postprocessing", "allow_raw")
_CHAIN_KEYS = ("from", "to", "steps")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """The pipeline beside a model, compiled; empty where nothing is declared."""

    preprocessing: tuple[_core.PipelineChain, ...] = ()
    postprocessing: tuple[_core.PipelineChain, ...] = ()
    allow_raw: bool = False


def read_pipeline(config: Mapping[str, object], folder: Path, where: str = "") -> PipelineConfig:
    """Of PIPELINE_KEYS, those that are there. Files that steps name are relative to `folder`."""
    allow_raw = config.get("allow_raw", False)
    if not isinstance(allow_raw, bool):
        raise ConfigError(f"{where}allow_raw: expected true or false, got {allow_raw!r}")
    preprocessing = _read_list(config, "preprocessing", folder, where)
    if allow_raw and not preprocessing:
        raise ConfigError(f"{where}allow_raw: there is no preprocessing that it could go around")
    return PipelineConfig(
        preprocessing=preprocessing,
        postprocessing=_read_list(config, "postprocessing", folder, where),
        allow_raw=allow_raw,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A chain, compiled. inputs: what it takes; None where that is the model's affair."""

    core: _core.PipelineChain
    to: tuple[str, ...]
    inputs: tuple[InputDeclaration, ...] | None


def inputs_of(chains: Sequence[Chain]) -> tuple[InputDeclaration, ...] | None:
    """What chains take together, but for what one before them makes; None where one of them does
    not say."""
    made: set[str] = set()
    found: dict[str, InputDeclaration] = {}
    for chain in chains:
        if chain.inputs is None:
            return None
        found |= {each.name: each for each in chain.inputs if each.name not in made}
        made.update(chain.to)
    return tuple(found.values())


def read_chains(config: object, key: str, folder: Path, where: str = "") -> tuple[Chain, ...]:
    """A list of chains, compiled. key: `preprocessing` or `postprocessing`, which says what may
    stand in it; anything else takes both."""
    path = f"{where}{key}"
    if isinstance(config, str | bytes) or not isinstance(config, Sequence):
        raise ConfigError(f"{path}: expected a list of chains, got {type(config).__name__}")
    return tuple(
        _read_chain(chain, key, folder, f"{path}[{index}]") for index, chain in enumerate(config)
    )


def _read_list(
    config: Mapping[str, object], key: str, folder: Path, where: str
) -> tuple[_core.PipelineChain, ...]:
    declared = config.get(key)
    chains = () if declared is None else read_chains(declared, key, folder, where)
    return tuple(chain.core for chain in chains)


def _read_chain(chain: object, key: str, folder: Path, where: str) -> Chain:
    if not isinstance(chain, Mapping):
        raise ConfigError(f"{where}: expected from, to and steps, got {chain!r}")
    for name in chain:
        if name not in _CHAIN_KEYS:
            raise ConfigError(
                f"{where}.{name}: unknown setting; known are {', '.join(_CHAIN_KEYS)}"
            )
    place = ChainPlace(
        from_=_read_names(chain.get("from"), f"{where}.from"),
        to=_read_names(chain.get("to"), f"{where}.to"),
        folder=folder,
        before=key == "preprocessing",
    )
    family, names, steps = read_steps(chain.get("steps", ()), f"{where}.steps", key)
    if not _may_stand(family, key):
        other = "behind" if key == "preprocessing" else "before"
        raise ConfigError(f"{where}.steps[0].{names[0]}: stands {other} a model only")
    core = _core.PipelineChain(
        from_=list(place.from_),
        to=list(place.to),
        steps=names,
        transform=_compile(family, names, steps, place, f"{where}.steps"),
    )
    inputs = None if family.inputs is None else tuple(family.inputs(steps, place))
    return Chain(core=core, to=place.to, inputs=inputs)


def _read_names(names: object, where: str) -> tuple[str, ...]:
    several = [names] if isinstance(names, str) else names
    if not isinstance(several, Sequence) or not several:
        raise ConfigError(f"{where}: expected a name or a list of names, got {names!r}")
    for name in several:
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{where}: expected a name or a list of names, got {name!r} in it")
        if several.count(name) > 1:
            raise ConfigError(f"{where}: {name!r} stands there twice")
    return tuple(several)


def _may_stand(family: StepFamily, key: str) -> bool:
    return {"preprocessing": family.before, "postprocessing": family.behind}.get(key, True)


def read_steps(
    config: object, where: str, key: str = ""
) -> tuple[StepFamily, list[str], list[Any]]:
    """A list of steps, checked each for itself: their family, their names and their settings.
    key: as for read_chains."""
    if isinstance(config, str | bytes) or not isinstance(config, Sequence):
        raise ConfigError(f"{where}: expected a list of steps, got {type(config).__name__}")
    if not config:
        raise ConfigError(f"{where}: there is no step")
    names: list[str] = []
    steps: list[Step] = []
    family = _family_of(config[0], f"{where}[0]", key)
    for index, entry in enumerate(config):
        name = _name_of(entry, f"{where}[{index}]")
        if name not in family.steps:
            if any(name in other.steps for other in _FAMILIES):
                raise ConfigError(f"{where}[{index}]: {name} cannot stand behind {names[0]}")
            raise _unknown_step(f"{where}[{index}]", name, [family])
        names.append(name)
        steps.append(_read_step(family.steps[name], entry[name], f"{where}[{index}].{name}"))
    return family, names, steps


def _name_of(entry: object, where: str) -> str:
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise ConfigError(
            f"{where}: expected one step's name with its settings, such as `softmax: {{}}`, "
            f"got {entry!r}"
        )
    return str(next(iter(entry)))


def _family_of(entry: object, where: str, key: str) -> StepFamily:
    name = _name_of(entry, where)
    for family in _FAMILIES:
        if name in family.steps:
            return family
    raise _unknown_step(where, name, [each for each in _FAMILIES if _may_stand(each, key)])


def _unknown_step(where: str, name: str, families: Sequence[StepFamily]) -> ConfigError:
    known = ", ".join(step for family in families for step in family.steps)
    return ConfigError(f"{where}: unknown step {name!r}; known: {known}")


def _read_step(kind: type[Step], settings: object, where: str) -> Step:
    if settings is not None and not isinstance(settings, Mapping):
        raise ConfigError(f"{where}: expected settings, got {settings!r}")
    try:
        return kind.model_validate(dict(settings or {}))
    except ValidationError as error:
        raise ConfigError(describe_problems(error, kind, settings or {}, where)) from None


def _compile(
    family: StepFamily, names: Sequence[str], steps: Sequence[Step], place: ChainPlace, where: str
) -> _core.Transform:
    try:
        return family.compile(steps, place)
    except StepConfigError as fault:
        key = f".{fault.key}" if fault.key else ""
        path = f"{where}[{fault.step}].{names[fault.step]}{key}"
        raise ConfigError(_located(path, steps[fault.step], fault.message)) from None
    except _core.StepError as error:
        index, message = error.args
        path = f"{where}[{index}].{names[index]}"
        raise ConfigError(_located(path, steps[index], message)) from None


def _located(path: str, step: Step, message: str) -> str:
    """Where a message begins with one of the step's keys (`features[0]: ...`), the path goes on."""
    key = re.match(r"(\w+)[\[.:]", message)
    return f"{path}{'.' if key and key[1] in type(step).model_fields else ': '}{message}"
