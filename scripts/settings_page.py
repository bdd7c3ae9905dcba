"""The reference page that is derived from the settings. PURE."""

from __future__ import annotations

from settings_source import (
    BASIC_TYPES,
    EFFECTS,
    NOTICE,
    SCOPES,
    Option,
    Settings,
    shown_default,
)


def settings_page(settings: Settings) -> str:
    lines = [
        f"<!-- {NOTICE} -->",
        "",
        "# Settings",
        "",
        "No setting is required. Server settings are flags of `penstock serve`. Model settings",
        "stand in `model.yaml` in the model's directory of a repository, or in `NAME.yaml` beside",
        "`NAME.onnx`; those that are also flags are the default for every model, and the file",
        "wins.",
        "",
        "Not in these tables, since they are more than a value: `preprocessing`, `postprocessing`",
        "and `allow_raw` ([preprocessing](../preprocessing.md)), `ragged` and `labels`",
        "([models](models.md)).",
        "",
    ]
    for scope in SCOPES:
        lines += [f"## {scope.capitalize()}", ""]
        shown = [option for option in settings.of_scope(scope) if not option.internal]
        lines += [
            "| setting | flag | default | range | takes effect |",
            "| --- | --- | --- | --- | --- |",
        ]
        for option in shown:
            flag = f"`--{option.flag_name}`" if option.cli == "flag" else ""
            default = f"`{shown_default(option)}`" if shown_default(option) else "empty"
            lines.append(
                f"| [`{option.name}`](#{scope}-{option.name}) | {flag} | {default} | "
                f"{shown_range(settings, option)} | {EFFECTS[option.effect]} |"
            )
        lines.append("")
        for option in shown:
            lines += [f'<a id="{scope}-{option.name}"></a>', f"### {option.name}", "", option.doc]
            if option.zero:
                lines += ["", f"0 means: {option.zero}."]
            if option.flag_type == "duration":
                lines += ["", f"`--{option.flag_name}` takes seconds (`30`, `30s`) or `500ms`."]
            if option.type not in BASIC_TYPES:
                lines.append("")
                values = settings.enum(option.type).values
                lines += [f"- `{value.name}`: {value.doc}" for value in values]
            lines.append("")
        internal = [option for option in settings.of_scope(scope) if option.internal]
        if internal:
            lines += ["### Not for configuration", ""]
            lines += [f"- `{option.name}`: {option.doc} {option.internal}" for option in internal]
            lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def shown_range(settings: Settings, option: Option) -> str:
    if option.type == "int":
        unit = f" {option.unit}" if option.unit else ""
        return f"{option.min} to {option.max}{unit}"
    if option.type == "string_list":
        return "list of " + (", ".join(f"`{choice}`" for choice in option.choices) or "strings")
    if option.type not in BASIC_TYPES:
        return ", ".join(f"`{value.name}`" for value in settings.enum(option.type).values)
    return option.type
