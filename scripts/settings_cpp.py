"""The C++ that is derived from the settings: structs, the host's flags, the binding. PURE."""

from __future__ import annotations

from settings_source import ABOUT_SCOPE, NOTICE, SCOPES, Option, Settings, comment, full_doc

CPP_TYPES = {
    "int": "std::int64_t",
    "bool": "bool",
    "string": "std::string",
    "string_list": "std::vector<std::string>",
}


def options_header(settings: Settings) -> str:
    lines = [
        f"// {NOTICE}",
        "// What a server and a model can be told, as plain values, filled by Python or",
        "// native/host. The data plane reads none of it from text.",
        "#pragma once",
        "",
        "#include <cstdint>",
        "#include <string>",
        "#include <vector>",
        "",
        "namespace penstock {",
        "",
    ]
    for enum in settings.enums:
        lines += [f"// {enum.doc}", f"enum class {enum.name} {{"]
        for value in enum.values:
            lines += [*comment(value.doc, "  // "), f"  {constant(value.name)},"]
        lines += ["};", ""]
    for scope in SCOPES:
        lines += [f"// {ABOUT_SCOPE[scope]}", f"struct {scope.capitalize()}Options {{"]
        for index, option in enumerate(settings.of_scope(scope)):
            if index:
                lines.append("")
            lines += comment(full_doc(option), "  // ")
            lines.append(f"  {cpp_type(option)} {option.name} = {cpp_default(option)};")
        lines += ["};", ""]
    lines.append("}  // namespace penstock")
    return "\n".join(lines) + "\n"


def options_text(settings: Settings) -> str:
    """The host's flag setter: the ranges and names come from here, the parsing does not."""
    flags = [option for option in settings.options if option.cli != "none"]
    lines = [
        f"// {NOTICE}",
        "// Sets the field that a command line flag of the host names.",
        "// clang-format off",
        '#include "options_text.h"',
        "",
        '#include "flag_values.h"',
        "",
        "namespace penstock::host {",
        "",
        "bool FlagTakesValue(std::string_view flag) {",
    ]
    switches = [option for option in flags if option.type == "bool"]
    condition = " && ".join(f'flag != "--{option.flag_name}"' for option in switches) or "true"
    lines += [f"  return {condition};", "}", ""]
    lines += [
        "bool SetOption(std::string_view flag, std::string_view value, ServerOptions* server,",
        "               ModelOptions* model, std::string* error) {",
    ]
    for option in flags:
        lines += set_field(settings, option)
    lines += [
        '  *error = "unknown option " + std::string(flag);',
        "  return false;",
        "}",
        "",
        "}  // namespace penstock::host",
    ]
    return "\n".join(lines) + "\n"


def set_field(settings: Settings, option: Option) -> list[str]:
    target = f"&{option.scope}->{option.name}"
    if option.flag_type == "duration":
        call = [f"ParseDurationMs(flag, value, {{{option.min}, {option.max}}}, {target}, error);"]
    elif option.type == "int":
        call = [f"ParseInt(flag, value, {{{option.min}, {option.max}}}, {target}, error);"]
    elif option.type == "bool":
        return [
            f'  if (flag == "--{option.flag_name}") {{',
            f"    {option.scope}->{option.name} = true;",
            "    return true;",
            "  }",
        ]
    elif option.type == "string":
        return [
            f'  if (flag == "--{option.flag_name}") {{',
            f"    {option.scope}->{option.name} = std::string(value);",
            "    return true;",
            "  }",
        ]
    elif option.type == "string_list":
        choices = ", ".join(f'"{choice}"' for choice in option.choices)
        call = [f"ParseList(flag, value, {{{choices}}}, {target}, error);"]
    else:
        values = settings.enum(option.type).values
        pairs = ", ".join(
            f'{{"{value.name}", {option.type}::{constant(value.name)}}}' for value in values
        )
        call = [
            f"ParseEnum<{option.type}>(",
            f"        flag, value, {{{pairs}}},",
            f"        {target}, error);",
        ]
    return [
        f'  if (flag == "--{option.flag_name}") {{',
        f"    return {call[0]}",
        *call[1:],
        "  }",
    ]


def options_from_python(settings: Settings) -> str:
    lines = [
        f"// {NOTICE}",
        "// Copies the fields of the pydantic classes in penstock._options into the C++ structs.",
        "// Needs the GIL. Pydantic checked the values; a wrong type still throws, as TypeError.",
        "// clang-format off",
        "#pragma once",
        "",
        "#include <pybind11/pybind11.h>",
        "#include <pybind11/stl.h>",
        "",
        "#include <cstdint>",
        "#include <string>",
        "#include <vector>",
        "",
        "#include <penstock/options.h>",
        "",
        "namespace penstock::binding {",
        "",
    ]
    for enum in settings.enums:
        lines += [
            f"inline {enum.name} {enum.name}FromPython(pybind11::handle source) {{",
            '  const auto text = source.attr("value").cast<std::string>();',
        ]
        lines += [
            f'  if (text == "{value.name}") return {enum.name}::{constant(value.name)};'
            for value in enum.values
        ]
        lines += [
            f'  throw pybind11::value_error("{enum.name}: " + text + " is not a value of it");',
            "}",
            "",
        ]
    for scope in SCOPES:
        struct = f"{scope.capitalize()}Options"
        lines += [
            f"inline {struct} {struct}FromPython(pybind11::handle source) {{",
            f"  {struct} options;",
        ]
        for option in settings.of_scope(scope):
            attribute = f'source.attr("{option.name}")'
            if option.type in CPP_TYPES:
                value = f"{attribute}.cast<{CPP_TYPES[option.type]}>()"
            else:
                value = f"{option.type}FromPython({attribute})"
            lines.append(f"  options.{option.name} = {value};")
        lines += ["  return options;", "}", ""]
    lines.append("}  // namespace penstock::binding")
    return "\n".join(lines) + "\n"


def constant(name: str) -> str:
    return "k" + "".join(part.capitalize() for part in name.split("_"))


def cpp_type(option: Option) -> str:
    return CPP_TYPES.get(option.type, option.type)


def cpp_default(option: Option) -> str:
    match option.default:
        case bool():
            return "true" if option.default else "false"
        case list():
            return "{" + ", ".join(f'"{item}"' for item in option.default) + "}"
        case str() if option.type == "string":
            return f'"{option.default}"'
        case str():
            return f"{option.type}::{constant(option.default)}"
        case _:
            return str(option.default)
