"""The report: one HTML file that needs nothing else and no JavaScript. PURE.

Written for somebody who was not there: headings say what is seen, and what was not measured stands
beside what was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from penstock._version import __version__
from penstock.bench import report_charts as charts
from penstock.bench.measurement import rates_of
from penstock.bench.outcome import STATUS_NAMES, BenchOutcome, BenchRun, failure_of
from penstock.bench.report_limits import what_was_not_measured
from penstock.bench.report_style import STYLE
from penstock.bench.results import make_document
from penstock.bench.summary import confidence_of, describe_load, milliseconds

__all__ = ["make_report"]


def make_report(outcome: BenchOutcome) -> str:
    title = f"Load test of {', '.join(model.name for model in outcome.settings.models)}"
    body = "\n".join(
        [
            f"<h1>{escape(title)}</h1>",
            f'<p class="soft">{escape(_origin(outcome))}</p>',
            _verdict(outcome),
            _tiles(outcome),
            *_warnings(outcome),
            *_rate_section(outcome),
            *_percentile_section(outcome),
            *_timeline_section(outcome),
            *_runs_section(outcome),
            *_failures_section(outcome),
            *_limits_section(outcome),
            *_settings_section(outcome),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _origin(outcome: BenchOutcome) -> str:
    server = f"{outcome.target.server_name} {outcome.target.server_version}".strip()
    named = f" ({server})" if server else ""
    when = outcome.started_at.replace("T", " ").replace("+00:00", " UTC")
    return f"{outcome.settings.address}{named}, {when}, measured by penstock bench {__version__}"


def _verdict(outcome: BenchOutcome) -> str:
    slo, shown = outcome.settings.slo, outcome.shown
    kind = ""
    p99 = milliseconds(shown.measured.latency.percentile_us(99))
    rates = rates_of(shown.measured)
    text = f"{rates.goodput:,.0f} good answers a second; 99 of 100 calls within {p99} ms"
    lines = [f"Load: {describe_load(outcome)}."]
    if slo is not None and outcome.answer is not None:
        found = outcome.answer.rate
        sure = outcome.answer.confirmed
        kind = "bad" if found is None else "good" if sure else ""
        text = (
            f"No rate that was tried keeps {slo.text}"
            if found is None
            else f"Up to {found:,.0f} calls a second, {slo.text} holds"
            + ("" if sure else ": not confirmed")
        )
        lines = [line.strip() for line in confidence_of(outcome)[1:]]
    elif slo is not None and shown.verdict is not None:
        kind = "good" if shown.verdict.met else "bad"
        word = "met" if shown.verdict.met else "missed"
        text = f"{slo.text} was {word}: p99 {p99} ms at {rates.offered:,.0f} calls a second"
        lines.insert(
            0,
            f"{shown.verdict.share_within:.4%} of all calls were answered, rightly, within "
            f"{slo.limit_ms:g} ms.",
        )
    failure = failure_of(outcome)
    if failure or outcome.interrupted:
        kind = "bad"
        lines.insert(0, f"Not complete: {failure or 'ended by Ctrl-C'}.")
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines)
    text = text.replace("<=", "≤")
    return f'<div class="verdict {kind}"><strong>{escape(text)}</strong>{paragraphs}</div>'


def _tiles(outcome: BenchOutcome) -> str:
    measured = outcome.shown.measured
    rates, counts, latency = rates_of(measured), measured.counts, measured.latency
    failed = counts.offered - counts.ok
    share = failed / counts.offered if counts.offered else 0.0
    tiles = [
        (f"{rates.offered:,.0f}/s", "calls offered"),
        (f"{rates.goodput:,.0f}/s", "good answers: right, in time"),
        (f"{failed:,}", f"calls failed ({share:.2%})"),
        (f"{milliseconds(latency.percentile_us(50))} ms", "p50: half were faster"),
        (f"{milliseconds(latency.percentile_us(99))} ms", "p99: 1 of 100 was slower"),
        (f"{milliseconds(latency.percentile_us(99.9))} ms", "p99.9: 1 of 1,000 was slower"),
    ]
    drawn = "".join(
        f'<div class="tile"><b>{escape(figure)}</b><span>{escape(text)}</span></div>'
        for figure, text in tiles
    )
    return f'<div class="tiles">{drawn}</div>'


def _warnings(outcome: BenchOutcome) -> Iterator[str]:
    for warning in outcome.shown.health.warnings:
        yield f'<div class="warning"><p>Careful: {escape(warning)}.</p></div>'


def _rate_section(outcome: BenchOutcome) -> Iterator[str]:
    drawn = charts.latency_against_rate(outcome)
    yield "<h2>How latency grows with the rate</h2>"
    if drawn is None:
        yield (
            "<p>One load was measured, so there is no curve to show. "
            "<code>--slo p99=20ms</code> searches the highest rate that keeps a promise and draws "
            "this curve on the way; <code>--profile step --rate 500,1000,2000</code> walks through "
            "rates of your choice.</p>"
        )
        return
    if outcome.answer is not None:
        yield (
            "<p>Each dot is one run, and the line goes through the middle ones. The server was "
            "offered that many calls a second, whether it kept up or not. Hollow dots missed the "
            "SLO.</p>"
        )
    else:
        yield "<p>Each dot is one second of the run.</p>"
    yield _drawing(drawn)


def _percentile_section(outcome: BenchOutcome) -> Iterator[str]:
    drawn = charts.percentile_curve(outcome)
    if drawn is None:
        return
    yield "<h2>How slow the slowest calls were</h2>"
    text = "To the right are the few slowest calls: each step shows ten times fewer of them. "
    if len(drawn[1]) > 1:
        text += (
            "The dashed line is what a tool that measures from sending would have shown; where the "
            "lines part, calls waited before they could leave."
        )
    yield f"<p>{text}{_at_rate(outcome)}</p>"
    yield _drawing(drawn)


def _at_rate(outcome: BenchOutcome) -> str:
    rate = outcome.shown.rate
    return f" The run at {rate:,.0f} calls a second." if rate and outcome.answer else ""


def _timeline_section(outcome: BenchOutcome) -> Iterator[str]:
    counts, latency = charts.count_timeline(outcome), charts.latency_timeline(outcome)
    if counts is None:
        return
    yield "<h2>Second by second</h2>"
    yield (
        "<p>Offered: calls that were due in this second. Ok and failed: calls whose fate was known "
        f"in it.{_at_rate(outcome)}</p>"
    )
    yield _drawing(counts)
    if latency is not None:
        yield _drawing(latency)


def _drawing(chart: charts.Chart) -> str:
    drawing, legend = chart
    entries = "".join(
        f'<li><i class="{style}"></i><span>{escape(name)}</span></li>' for style, name in legend
    )
    return f'<ul class="legend">{entries}</ul><div class="scroll">{drawing}</div>'


def _runs_section(outcome: BenchOutcome) -> Iterator[str]:
    if len(outcome.runs) < 2:
        return
    yield f"<h2>All {len(outcome.runs)} runs, in the order they were made</h2>"
    header = [
        "rate",
        "offered/s",
        "good/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "failed",
        "SLO",
        "generator",
    ]
    yield _table(header, [_run_row(run) for run in outcome.runs], numbers=range(1, 7))


def _run_row(run: BenchRun) -> list[str]:
    rates, latency, counts = rates_of(run.measured), run.measured.latency, run.measured.counts
    verdict = "-"
    if run.verdict is not None:
        word = "met" if run.verdict.met else "missed"
        verdict = f'<span class="{word}">{word}</span>'
    return [
        "closed loop: the capacity" if run.rate is None else f"{run.rate:,.1f}/s",
        f"{rates.offered:,.1f}",
        f"{rates.goodput:,.1f}",
        *(milliseconds(latency.percentile_us(percent)) for percent in (50, 99, 99.9)),
        f"{counts.offered - counts.ok:,}",
        verdict,
        "at its limit" if run.health.limited else "fine",
    ]


def _failures_section(outcome: BenchOutcome) -> Iterator[str]:
    measured = outcome.shown.measured
    counts = measured.counts
    if counts.ok == counts.offered:
        return
    yield "<h2>What failed</h2>"
    kinds = (
        ("wrong answers (status OK, but not what was expected)", counts.wrong),
        ("shed: refused by the server under load (RESOURCE_EXHAUSTED)", counts.shed),
        ("deadline missed", counts.deadline_missed),
        ("errors: any other gRPC status", counts.errors),
        ("transport errors: no gRPC status at all", counts.transport_errors),
        ("unanswered when the run ended", counts.unanswered),
        ("not sent: too many calls were unanswered already", counts.generator_limited),
    )
    rows = [[escape(text), f"{count:,}"] for text, count in kinds if count]
    rows += [
        [f"status {STATUS_NAMES[code] if code < len(STATUS_NAMES) else code}", f"{count:,}"]
        for code, count in sorted(counts.statuses.items())
    ]
    rows += [[f"<code>{escape(text)}</code>", f"{count:,}"] for text, count in measured.examples]
    yield _table(["what", "calls"], rows, numbers=(1,))


def _limits_section(outcome: BenchOutcome) -> Iterator[str]:
    yield "<h2>What was not measured</h2>"
    items = "".join(f"<li>{escape(text)}</li>" for text in what_was_not_measured(outcome))
    yield f"<ul>{items}</ul>"


def _settings_section(outcome: BenchOutcome) -> Iterator[str]:
    document = make_document(outcome)
    machine = outcome.machine
    yield "<h2>Machine and versions</h2>"
    rows = [
        [
            "generator runs on",
            f"{machine.cpu}, {machine.cpus} processors, {machine.memory_gib} GiB",
        ],
        ["system", f"{machine.system}, kernel {machine.kernel}, Python {machine.python}"],
        ["load average before", f"{machine.load_average}"],
        ["penstock bench", __version__],
        ["server", _origin(outcome).split(",")[0]],
        *([f"model {each.model}", "; ".join(each.inputs)] for each in outcome.target.payloads),
    ]
    yield _table(["", ""], [[escape(cell) for cell in row] for row in rows])
    generator = document["generator"]
    yield "<h2>The generator itself</h2>"
    yield (
        "<p>It must be idle and punctual, or it measures itself. Times in microseconds say how "
        "late calls left.</p>"
    )
    yield _pairs({key: value for key, value in generator.items() if key != "warnings"})
    yield "<h2>All settings</h2>"
    yield f"<p><code>{escape(' '.join(outcome.command))}</code></p>"
    yield _pairs(document["settings"])


def _pairs(values: dict[str, object]) -> str:
    rows = [
        [escape(key), f"<code>{escape(_readable(value))}</code>"]
        for key, value in values.items()
        if value is not None and value != []
    ]
    return _table(["", ""], rows)


def _readable(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_readable(each)}" for key, each in value.items() if each != "")
    if isinstance(value, list):
        return "; ".join(_readable(each) for each in value)
    return f"{value:,.10g}" if isinstance(value, int | float) else str(value)


def _table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = ()
) -> str:
    """Cells are HTML; numbers are the columns that hold some."""
    right = set(numbers)

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f'<{tag} class="number">{cell}</{tag}>' if at in right else f"<{tag}>{cell}</{tag}>"
            for at, cell in enumerate(row)
        )

    head = f"<thead><tr>{cells(header, 'th')}</tr></thead>" if any(header) else ""
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'
