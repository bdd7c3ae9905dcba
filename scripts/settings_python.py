"""The Python that is derived from the settings: penstock._options. PURE."""

from __future__ import annotations

import textwrap

from settings_source import (
    ABOUT_SCOPE,
    BASIC_TYPES,
    NOTICE,
    SCOPES,
    Option,
    Settings,
    as_list,
    comment,
    full_doc,
    shown_default,
)


def python_options(settings: Settings) -> str:
    names = ["ModelOptions", "ServerOptions", *(enum.name for enum in settings.enums)]
    lines = [
        f"# {NOTICE}",
        '"""Every setting: its type, range and default.',
        "",
        "The classes are frozen and refuse unknown keys; penstock.config turns their complaints",
        "into messages that name the key.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from enum import StrEnum",
        "from typing import Annotated, Literal",
        "",
        "from pydantic import BaseModel, ConfigDict, Field",
        "",
        "__all__ = [",
        *(f'    "{name}",' for name in sorted(names)),
        "]",
        "",
        "",
    ]
    for enum in settings.enums:
        lines += [f"class {enum.name}(StrEnum):", f'    """{enum.doc}"""', ""]
        for value in enum.values:
            lines.append(f'    {value.name.upper()} = "{value.name}"  # {value.doc}')
        lines += ["", ""]
    for scope in SCOPES:
        lines += [
            f"class {scope.capitalize()}Options(BaseModel):",
            f'    """{ABOUT_SCOPE[scope]}"""',
            "",
            '    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())',
        ]
        for option in settings.of_scope(scope):
            lines.append("")
            lines += python_field(option)
        lines += ["", ""]
    while lines[-1] == "":
        lines.pop()
    return "\n".join(lines) + "\n"


def python_flags(settings: Settings) -> str:
    lines = [
        f"# {NOTICE}",
        '"""The flags of `penstock serve`, for argparse. Imports nothing that costs time."""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import Literal, NamedTuple",
        "",
        '__all__ = ["FLAGS", "Flag"]',
        "",
        "",
        "class Flag(NamedTuple):",
        '    """A flag; kind is the option\'s type, `duration_ms` or `enum`."""',
        "",
        "    name: str",
        '    scope: Literal["server", "model"]',
        "    field: str",
        "    kind: str",
        "    choices: tuple[str, ...]",
        "    hidden: bool",
        "    help: str",
        "",
        "",
        "FLAGS: tuple[Flag, ...] = (",
    ]
    for option in settings.options:
        if option.cli != "none":
            lines += python_flag(settings, option)
    lines.append(")")
    return "\n".join(lines) + "\n"


def python_field(option: Option) -> list[str]:
    lines = comment(full_doc(option), "    # ")
    if option.type == "int":
        bounds = f"Field(strict=True, ge={option.min}, le={option.max})"
        line = f"    {option.name}: Annotated[int, {bounds}] = {option.default}"
        if len(line) <= 100:
            return [*lines, line]
        start, value = line.rsplit(" = ", 1)
        return [*lines, f"{start} = (", f"        {value}", "    )"]
    if option.type == "string_list":
        choices = ", ".join(quoted(choice) for choice in option.choices)
        item = f"Literal[{choices}]" if choices else "str"
        value = "(" + "".join(f"{quoted(item)}, " for item in as_list(option.default)) + ")"
        value = value.replace(", )", ",)")
        bounds = f"Field(min_length={option.min_items})"
        line = f"    {option.name}: Annotated[tuple[{item}, ...], {bounds}] = {value}"
        if len(line) <= 100:
            return [*lines, line]
        inner = f"        tuple[{item}, ...], {bounds}"
        return [*lines, f"    {option.name}: Annotated[", inner, f"    ] = {value}"]
    if option.type == "bool":
        annotation = "Annotated[bool, Field(strict=True)]"
        return [*lines, f"    {option.name}: {annotation} = {option.default}"]
    if option.type == "string":
        return [*lines, f"    {option.name}: str = {quoted(str(option.default))}"]
    default = f"{option.type}.{str(option.default).upper()}"
    return [*lines, f"    {option.name}: {option.type} = {default}"]


def python_flag(settings: Settings, option: Option) -> list[str]:
    kind = "duration_ms" if option.flag_type == "duration" else option.type
    choices = option.choices
    if option.type not in BASIC_TYPES:
        kind = "enum"
        choices = tuple(value.name for value in settings.enum(option.type).values)
    items = "".join(f"{quoted(choice)}, " for choice in choices)
    items = items[:-1] if len(choices) == 1 else items[:-2]
    help_lines = textwrap.wrap(flag_help(option), 80, drop_whitespace=False, break_on_hyphens=False)
    return [
        "    Flag(",
        f'        name="--{option.flag_name}",',
        f'        scope="{option.scope}",',
        f'        field="{option.name}",',
        f'        kind="{kind}",',
        f"        choices=({items}),",
        f"        hidden={option.cli == 'hidden'},",
        *(
            [f"        help={quoted(help_lines[0])},"]
            if len(help_lines) == 1
            else [
                "        help=(",
                *(f"            {quoted(line)}" for line in help_lines),
                "        ),",
            ]
        ),
        "    ),",
    ]


def flag_help(option: Option) -> str:
    default = shown_default(option)
    if option.flag_type == "duration":
        default = f"{int(str(option.default)) / 1000:g}s"
    parts = [option.doc]
    if option.zero:
        parts.append(f"0: {option.zero}.")
    if default:
        unit = f" {option.unit}" if option.unit and not option.flag_type else ""
        parts.append(f"Default: {default}{unit}.")
    return " ".join(parts)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
