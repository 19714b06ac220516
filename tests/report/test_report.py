"""Reports: what they say, and that nothing from the data acts in them."""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from needs import chromium
from truthound import Checkpoint, ValidationRun
from truthound.errors import UnknownNameError
from truthound.profile import profile
from truthound.report import FORMATS, items_of, render

RIDES = pl.DataFrame(
    {"id": [1, 2, 2], "fare": [12.5, None, 480.0], "kind": ["card", "cash", "n/a"]}
)
CHECKS = [
    "null",
    {"unique": {"column": "id", "severity": "low"}},
    {"range": {"column": "fare", "max": 100}},
    {"range": {"column": "nope", "max": 100}},
    {"in_set": {"column": "kind", "values": ["card", "cash"], "by": "id"}},
]


def a_run() -> ValidationRun:
    return truthound.check(RIDES, CHECKS)


def test_table_shows_the_worst_first_with_rows() -> None:
    text = render(a_run(), "table", width=100)

    names = re.findall(r"✘ (\S+)", text)
    assert names == ["range(fare)", "in_set(kind)", "null(fare)", "unique(id)"] or (
        names.index("unique(id)") == len(names) - 1
    )
    assert "3    480" in text
    assert "could not be evaluated: there is no column 'nope'" in text
    assert "✔ 2 checks passed" in text
    assert "null(id)" not in text
    assert "null(id)" in render(a_run(), "table", verbose=True)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_table_keeps_to_the_width(width: int) -> None:
    text = render(a_run(), "table", width=width)
    assert max(len(line) for line in text.splitlines()) <= width


def test_colour_only_if_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in render(a_run(), "table")
    assert "\x1b[" in render(a_run(), "table", color=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", render(a_run(), "table", color=True))


def test_json_is_the_whole_result() -> None:
    run = a_run()
    document = json.loads(render(run, "json"))

    assert document["runs"][0]["status"] == "error"
    record = document["runs"][0]["validation_run"]
    assert ValidationRun.from_dict(record).to_dict() == record
    assert record == json.loads(json.dumps(run.to_dict()))


def test_jsonl_has_a_line_a_check() -> None:
    lines = [json.loads(line) for line in render(a_run(), "jsonl").splitlines()]
    assert [line["name"] for line in lines] == [c.name for c in a_run().checks]
    assert {line["run"] for line in lines} == {"DataFrame"}


def test_junit_counts_what_ci_counts() -> None:
    run = a_run()
    suite = ET.fromstring(render(run, "junit"))[0]

    assert int(suite.attrib["tests"]) == len(suite) == len(run.checks)
    assert len(suite.findall("testcase/failure")) == len(run.issues)
    assert len(suite.findall("testcase/error")) == len(run.errors) == 1
    assert suite.attrib["failures"] == str(len(run.issues))


def test_github_annotates_by_severity() -> None:
    lines = render(a_run(), "github").splitlines()
    levels = [line.split(" ")[0] for line in lines[:-1]]
    assert levels[0] == "::error"
    assert levels[-1] == "::notice"  # unique is low
    assert "5 of" not in lines[0]


def test_a_run_that_could_not_be_completed_is_in_every_format() -> None:
    result = Checkpoint("rides", data_source="nowhere.csv").run()
    for form in FORMATS:
        text = render(result, form)
        assert "nowhere" in text
    assert ET.fromstring(render(result, "junit")).find(".//error") is not None


def test_many_results_are_one_report() -> None:
    results = [
        Checkpoint(name, data_source=RIDES, validators=["null"]).run()
        for name in ("one", "two")
    ]
    assert [item.title for item in items_of(results)] == ["one", "two"]
    assert "2 runs: 4 of 6 checks passed, 2 failed" in render(results, "table")
    for form in FORMATS:
        assert "two" in render(results, form)


def test_unknown_format_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'html'"):
        render(a_run(), "htm")
    with pytest.raises(TypeError):
        items_of(3)


@pytest.mark.parametrize("form", ["table", "html", "markdown", "github", "junit"])
def test_a_count_is_said_once_a_check(form: str) -> None:
    frame = pl.DataFrame({"x": [2] * 7001 + [1] * 8000})
    rules = [
        {"in_set": {"column": "x", "values": [1]}},
        {"range": {"column": "x", "max": 1}},
    ]

    text = render(truthound.check(frame, rules, sample_rows=0), form)

    assert len(re.findall("7,001", text)) == 2


@pytest.mark.parametrize("form", ["table", "html"])
def test_a_group_tells_its_count_and_what_was_seen(form: str) -> None:
    frame = pl.DataFrame({"x": [1, 9, 9], "by": ["a", "b", "b"]})
    rules = [
        {"range": {"column": "x", "max": 5, "by": "by"}},
        {"in_set": {"column": "x", "values": [1], "by": "by"}},
    ]

    found = [render(truthound.check(frame, [rule]), form) for rule in rules]

    assert all(len(re.findall("2 of 2", text)) == 1 for text in found)
    assert ["9 to 9" in text for text in found] == [True, False]


def test_page_shades_what_a_failing_check_does_not_allow() -> None:
    frame = pl.DataFrame({"x": [1, 2, 3, 4, 100], "y": [1, 2, 3, 4, 5]})
    columns = {"columns": ["x", "y"]}
    run = truthound.check(frame, [{"outlier": columns}])

    text = render(run, "html", profiles={run.source: profile(frame)})

    shaded = re.findall(r'class="out" x="([\d.]+)" y="0" width="([\d.]+)"', text)
    assert shaded == [("6.06", "93.94")]  # 1 to 100, and 7 is the limit
    assert text.count("not allowed") == 1


class Page(HTMLParser):
    """What a browser would make of a page, as far as it matters here."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


HOSTILE = [
    "<script>document.title='pwned'</script>",
    "<img src=x onerror=document.title='pwned'>",
    '"><svg onload=document.title="pwned">',
    "[x](javascript:alert(1))",
    "=cmd|' /C calc'!A0",
    "\x1b[31mred\x1b]0;pwned\x07",
    "\u202eevil\u2066",
    "nul\x00l",
    "| a | b |\n| - | - |",
    "::error::pwned",
    "%0A::error::pwned",
    "]]>",
]
hostile = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20))


def hostile_run(name: str, cell: str) -> ValidationRun:
    frame = pl.DataFrame({name: [cell, "x"]})
    return truthound.check(
        frame,
        [
            {"regex": {"column": name, "pattern": "^$", "name": cell or None}},
            {"unique": {"column": name, "by": name}},
            {"range": {"column": name, "min": 0}},
        ],
    )


@given(name=hostile, cell=hostile)
def test_nothing_from_the_data_acts(name: str, cell: str) -> None:
    run = hostile_run(name, cell)

    page = Page(render(run, "html"))
    assert not {"script", "img", "iframe", "object", "link", "a"} & set(page.tags)
    assert not [n for n, _ in page.attributes if n.startswith("on") or n == "href"]

    assert ET.fromstring(render(run, "junit")).tag == "testsuites"
    json.loads(render(run, "json"))

    for line in render(run, "github").splitlines()[:-1]:
        assert re.match(r"::(error|warning|notice) title=[^:,]*::", line)
    table = render(run, "table", color=False)
    assert not re.search(
        r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", table
    )
    markdown = render(run, "markdown")
    assert not re.search(r"(?<!\\)<|(?<!\\)\]\(", markdown)
    for block in markdown.split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("| ")]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1


def test_page_allows_nothing_but_its_own_style() -> None:
    text = render(a_run(), "html")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; style-src 'sha256-")
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert "style=" not in text


def test_page_opens_in_a_browser_and_nothing_runs(tmp_path: Path) -> None:
    browser = chromium()
    frame = pl.DataFrame({"n": range(len(HOSTILE)), "text": HOSTILE})
    frame.write_parquet("hostile.parquet")
    run = truthound.check(
        "hostile.parquet",
        [
            {"regex": {"column": "text", "pattern": "^$"}},
            {"range": {"column": "n", "max": 3}},
        ],
        sample_rows=50,
    )
    page = tmp_path / "report.html"
    drawn = render(run, "html", profiles={run.source: profile("hostile.parquet")})
    page.write_text(drawn, encoding="utf-8")

    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={tmp_path / 'browser'}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=28,
        check=True,
    )

    seen = Page(done.stdout)
    assert "pwned" not in "".join(re.findall("<title>(.*?)</title>", done.stdout))
    assert seen.tags.count("rect") > 3  # the histogram was drawn
    assert any("regex(text)" in text for text in seen.texts)
    assert "Refused to" not in done.stderr


def test_notebooks_show_a_table() -> None:
    run = hostile_run("<b>", "<i>")
    assert "<table" in run._repr_html_()
    assert "<b>" not in run._repr_html_()
    assert "✔" in truthound.check(RIDES, [{"null": {"column": "id"}}])._repr_html_()
