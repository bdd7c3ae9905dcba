"""What is shown: JSON that keeps to its schema, the summary, the report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from penstock.bench.outcome import BenchOutcome
from penstock.bench.report import make_report
from penstock.bench.results import make_document
from penstock.bench.summary import make_summary
from support.bench_outcomes import (
    measurement_of,
    outcome_of,
    run_of,
    search_outcome,
    settings_of,
)
from support.json_schema import problems

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"
SCHEMA = json.loads((REFERENCE / "bench-json.schema.json").read_text())


def steady() -> BenchOutcome:
    settings = settings_of("--rate", "100", "--slo", "p99=20ms")
    values = [1e3] * 390 + [30e3] * 5
    counts = {"ok": 395, "wrong": 3, "errors": 2}
    measured = measurement_of(values, counts=counts, examples=(("INTERNAL: <b>no</b>", 2),))
    return outcome_of(settings, run_of(settings, measured, rate=100.0))


def ramp() -> BenchOutcome:
    settings = settings_of("--rate", "50,150", "--profile", "ramp", "--arrivals", "constant")
    return outcome_of(settings, run_of(settings, measurement_of([1e3] * 400)))


def closed() -> BenchOutcome:
    settings = settings_of("--no-check")
    return outcome_of(settings, run_of(settings, measurement_of([1e3, 2e3] * 200)))


def lost() -> BenchOutcome:
    settings = settings_of("--rate", "100")
    measured = measurement_of([1e3] * 50, end="disconnected", failure="every connection was lost")
    return outcome_of(settings, run_of(settings, measured, rate=100.0))


def nothing() -> BenchOutcome:
    settings = settings_of("--rate", "100")
    measured = measurement_of(
        [], counts={}, seconds=1, duration_s=0.0, elapsed_s=0.0, end="not_connected"
    )
    return outcome_of(settings, run_of(settings, measured, rate=100.0))


def interrupted() -> BenchOutcome:
    return search_outcome(interrupted=True)


OUTCOMES = [steady, ramp, closed, lost, nothing, search_outcome, interrupted]
each_outcome = pytest.mark.parametrize("make", OUTCOMES, ids=lambda make: make.__name__)
Make = Callable[[], BenchOutcome]


@each_outcome
def test_document_keeps_to_its_schema(make: Make) -> None:
    document = json.loads(json.dumps(make_document(make()), allow_nan=False))
    assert problems(document, SCHEMA) == []


def test_schema_refuses_what_is_wrong() -> None:
    document = make_document(steady())
    for key, value in (("ok", -1), ("end", "perhaps"), ("p99_ms", "fast"), ("surprise", 1)):
        assert problems(document | {key: value}, SCHEMA), key
    assert problems({key: document[key] for key in document if key != "goodput"}, SCHEMA)


def test_every_key_is_documented() -> None:
    text = (REFERENCE / "bench-json.md").read_text()
    objects = [SCHEMA, *SCHEMA["$defs"].values(), SCHEMA["properties"]["machine"]]
    keys = {key for each in objects for key in each.get("properties", {})}
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []


def test_document_has_the_figures_of_the_run() -> None:
    document = make_document(steady())
    assert (document["calls"], document["ok"], document["wrong"]) == (400, 395, 3)
    assert document["offered"] == 100
    assert document["statuses"] == {"OK": 395}
    assert (document["p50_ms"], document["p99_ms"]) == (1, 30)
    assert document["exit_code"] == 1
    assert document["slo"]["met"] is False
    assert document["slo"]["share_within"] == pytest.approx(390 / 400)
    assert document["failures"] == [{"text": "INTERNAL: <b>no</b>", "count": 2}]


def test_document_of_a_search_says_how_sure_it_is() -> None:
    document = make_document(search_outcome())
    search = document["slo"]["search"]
    assert (search["rate"], search["missed_rate"]) == (1000, 1010)
    assert (search["confirmed"], search["why"]) == (True, "found")
    assert [run["purpose"] for run in document["runs"]] == ["capacity"] + ["search"] * 7


@pytest.mark.parametrize(
    ("make", "texts"),
    [
        (steady, ["SLO p99 <= 20 ms: MISSED", "3 wrong answers, 2 errors", "2 x INTERNAL"]),
        (closed, ["closed loop, 16 callers", "from the moment a call was sent"]),
        (ramp, ["constant arrivals, ramp 50, 150 calls/s", "from the moment a call was due"]),
        (lost, ["ended early (disconnected)"]),
        (nothing, ["no call was ok"]),
        (search_outcome, ["met up to 1,000.0", "at 1,010.0/s: met in 0 of 2", "confirmed"]),
        (interrupted, ["ended early (interrupted)"]),
    ],
)
def test_summary_says(make: Make, texts: list[str]) -> None:
    summary = make_summary(make())
    assert [text for text in texts if text not in summary] == [], summary


class Page(HTMLParser):
    """Fails for tags that are not closed; collects what a browser would load."""

    VOID = ("meta", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.headings: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "data")]
        if tag in ("script", "link", "img", "iframe", "object"):
            self.loaded.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


@each_outcome
def test_report_is_one_page_that_loads_nothing(make: Make) -> None:
    text = make_report(make())
    page = Page(text)
    assert page.loaded == []
    assert not re.search(r"https?:|url\(|@import|nan|inf\b", text, re.IGNORECASE)
    assert "What was not measured" in page.headings


@each_outcome
def test_report_draws_inside_its_charts(make: Make) -> None:
    for drawing in re.findall(r"<svg.*?</svg>", make_report(make()), re.DOTALL):
        svg = ElementTree.fromstring(drawing)
        _, _, width, height = (float(value) for value in svg.attrib["viewBox"].split())
        points = [
            tuple(float(value) for value in pair.split(","))
            for line in svg.iter("polyline")
            for pair in line.attrib["points"].split()
        ]
        points += [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in svg.iter("circle")]
        assert points
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


def test_report_of_a_search_has_every_run_and_the_slo_line() -> None:
    text = make_report(search_outcome())
    curve = re.search(r"How latency grows with the rate.*?</svg>", text, re.DOTALL)
    assert curve is not None
    # Seven runs, three percentiles; those that missed are hollow.
    assert curve[0].count("<circle") == 21
    assert curve[0].count("hollow") == 9
    assert "SLO: p99 ≤ 20 ms" in curve[0]
    assert "Up to 1,000 calls a second, p99 ≤ 20 ms holds" in text


def test_report_of_one_rate_says_how_to_get_a_curve() -> None:
    text = make_report(steady())
    assert "One load was measured" in text
    assert "INTERNAL: &lt;b&gt;no&lt;/b&gt;" in text
    assert "Made-up &lt;CPU&gt;" in text


def test_report_of_a_run_that_broke_off_says_so() -> None:
    assert "Not complete: every connection was lost" in make_report(lost())
    assert "Not complete: ended by Ctrl-C" in make_report(interrupted())
