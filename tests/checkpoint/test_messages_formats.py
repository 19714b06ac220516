"""What people are told, as plain text, Markdown and HTML, whatever the data says."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from markdown_it import MarkdownIt

from hostile import TEXTS, messages, texts
from truthound.checkpoint.messages import _tidy, limits
from truthound.checkpoint.messages.html import as_html
from truthound.checkpoint.messages.markdown import as_markdown, inline
from truthound.checkpoint.messages.message import (
    Finding,
    Message,
    MessageKind,
    grouped,
)
from truthound.checkpoint.messages.text import as_text

often: Any = settings(
    max_examples=30,
    deadline=None,
    # Such messages are large: to make them smaller takes minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
FORMS = [as_text, as_markdown, as_html]
MESSAGE = Message(
    kind=MessageKind.RUN,
    checkpoint="rides",
    status="failure",
    run_id="rides_20260302_120000_00000001",
    at=datetime(2026, 3, 2, 12, tzinfo=UTC),
    source="rides.parquet",
    rows=1_234_567,
    checks=9,
    failed_checks=2,
    findings=[
        Finding(
            name="range(fare)",
            severity="critical",
            message="expected 0 to 500; 3 of 1,234,567 rows fail",
            examples=[{"row": "17", "fare": "-3"}],
        ),
        Finding(name="null(zone)", severity="low", failed=1, checked=1_234_567),
    ],
    more_findings=4,
    note="Call the taxi team.",
    links={"Runbook": "https://wiki.example/rides?a=1&b=(2)"},
    tags={"team": "taxi"},
)
BOTH = grouped([MESSAGE, replace(MESSAGE, checkpoint="trips", status="success")])


class Page(HTMLParser):
    """What a mail program sees: elements, addresses, pieces of text."""

    VOID = ("meta", "br")

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.pieces: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name == "href"]
        self.pieces.append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.pieces.append("")

    def handle_data(self, data: str) -> None:
        self.pieces[-1:] = [(self.pieces or [""])[-1] + data]

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")


@pytest.mark.parametrize("form", FORMS)
def test_each_form_tells_everything(form: Any) -> None:
    said = form(MESSAGE)
    if form is as_html:
        said = "".join(Page(said).pieces)

    for part in (
        "rides: failure",
        "rides.parquet",
        "1,234,567",
        "2 of 9",
        "2026-03-02 12:00:00 UTC",
        MESSAGE.run_id,
        "range(fare)",
        "critical",
        "expected 0 to 500",
        "fare: -3",
        "1 of 1,234,567 rows",
        "and 4 more issues",
        "Call the taxi team.",
        "team=taxi",
        "Runbook",
    ):
        assert part in said, part


@pytest.mark.parametrize("form", FORMS)
def test_each_form_tells_several_runs(form: Any) -> None:
    said = form(BOTH)
    if form is as_html:
        said = "".join(Page(said).pieces)

    for part in (
        "2 checkpoints, 1 not well",
        "rides: failure",
        "trips: success",
        "range(fare)",
    ):
        assert part in said, part


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("alarm", "rides: failure"),
        ("reminder", "rides: still failure"),
        ("resolved", "rides: resolved, failure"),
        ("test", "TEST, nothing has happened: rides"),
    ],
)
def test_each_form_says_why_somebody_is_told(form: Any, kind: str, words: str) -> None:
    assert words in form(replace(MESSAGE, kind=MessageKind(kind)))


@pytest.mark.parametrize("form", FORMS)
def test_error_of_a_run_is_told_line_by_line(form: Any) -> None:
    said = form(replace(MESSAGE, error="no file\n  at line 2"))

    assert re.search(r"Error:\s+(```text\n)?no file\n +at line 2", said)


def test_addresses_that_lead_nowhere_are_left_out() -> None:
    links = {
        "script": "javascript:alert(1)",
        "no host": "https:///x",
        "no page": "ftp://x.example/y",
        "broken": "http://[::1",
        "endless": "https://x.example/" + "y" * 5_000,
        "page": 'https://x.example/a b"<c>\u202e',
    }

    shown = _tidy.tidied(replace(MESSAGE, links=links)).links

    assert shown == {"page": "https://x.example/a%20b%22%3Cc%3E%E2%80%AE"}


@pytest.mark.parametrize(
    ("given_text", "written"),
    [
        ("plain", "plain"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("\x1b[0m\n\t\r", "\\x1b[0m\\n\\t\\r"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
        ("Zürich 東京 👩\u200d👧", "Zürich 東京 👩\u200d👧"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\u200db", "a\\u200db"),
        ("x" * 60, "x" * 39 + "…"),
    ],
)
def test_what_cannot_be_seen_is_written_out(given_text: str, written: str) -> None:
    assert _tidy.clean(given_text, 40) == written


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("abc", 3), ("é", 1), ("😀a", 3), ("👩\u200d👧", 5)]
)
def test_units_are_those_of_utf16(text: str, count: int) -> None:
    assert limits.units(text) == count == len(text.encode("utf-16-le")) // 2


@often
@given(texts)
def test_cut_units_keeps_as_much_as_may_be(text: str) -> None:
    for longest in (1, 2, 5, 100):
        short = limits.cut_units(text, longest)
        assert limits.units(short) <= longest
        if short != text:
            assert short.endswith("…")
            assert text.startswith(short[:-1])
            assert limits.units(short) >= longest - 1


@often
@given(messages)
def test_text_has_no_line_that_is_not_ours(message: Message) -> None:
    said = as_text(replace(message, note=None, links={}))
    assert len(said) < 2_000_000

    shown = _tidy.tidied(message)
    assert not {c for c in said if unicodedata.category(c) in ("Cc", "Cs")} - {"\n"}
    assert "\u202e" not in said
    told = _tidy.all_told(shown)
    checks = sum(len(one.findings) for one in told)
    indent = "  " if shown.others else ""
    assert len(re.findall(rf"^{indent}- ", said, re.M)) == checks
    assert said.splitlines()[0] == (message.title if message.others else shown.title)
    # A line is one of ours, the rest of an error, or an example row.
    ours = r"$|- |and |Error: |\w[\w ]*: |    "
    if not shown.others:
        odd = [x for x in said.split("\n")[1:] if not re.match(ours + "|  ", x)]
        assert odd == []


@often
@given(messages)
@example(replace(MESSAGE, checkpoint="`", error="```\n# x"))
def test_markdown_has_no_markup_from_the_data(message: Message) -> None:
    said = as_markdown(message)
    assert len(said) < 2_000_000
    tokens = MarkdownIt("commonmark").parse(said)

    shown = _tidy.tidied(message)
    inner = [t for token in tokens for t in token.children or ()]
    types = {token.type for token in [*tokens, *inner]}
    assert types & {"html_block", "html_inline", "image", "em_open", "hr"} == set()
    assert [t.type for t in tokens].count("heading_open") == 1
    links = [t.attrs["href"] for t in inner if t.type == "link_open"]
    plain = MarkdownIt("commonmark")
    wanted = [plain.normalizeLink(to) for to in shown.links.values()]
    assert links == wanted
    bare = "\n".join(t.content for t in inner if t.type == "text")
    # Nothing that a site makes a link or a mention of, when the markup is gone.
    assert not re.search(r"@|#|://|www\.|\w\.[A-Za-z]|GH-\d|[0-9a-f]{7,}", bare, re.I)
    checks = sum(len(one.findings) for one in _tidy.all_told(shown))
    strong = [t for t in inner if t.type == "strong_open"]
    assert len(strong) == checks + (len(shown.others) + 1 if shown.others else 0)


@pytest.mark.parametrize("text", TEXTS)
def test_markdown_code_holds_what_was_said(text: str) -> None:
    clean = _tidy.clean(text, 300)

    (token,) = MarkdownIt("commonmark").parseInline(f"a {inline(clean)} b")

    said = [t.content for t in token.children or ()]
    assert "".join(said) == f"a {clean if clean.strip() else '-'} b"


@often
@given(messages)
def test_html_has_no_markup_from_the_data(message: Message) -> None:
    said = as_html(message)
    assert len(said) < 2_000_000
    page = Page(said)

    shown = _tidy.tidied(message)
    allowed = "html head meta title body h2 p br table tr th td ul li strong span a pre"
    assert page.tags <= set(allowed.split())
    assert page.attributes <= {"style", "href", "lang", "charset", "role"}
    assert page.links == list(shown.links.values())
    name = message.title if message.others else shown.title
    assert name in "".join(page.pieces)
    inside = page.pieces[page.pieces.index(name) + 1 :]  # behind the title of the page
    assert not [p for p in inside if re.search(r"\w://|.@|@.|www\.\w", p)]
