"""Validators in one line of the shell."""

from __future__ import annotations

from datetime import date

import pytest

from truthound.cli._shorthand import ShorthandError, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", [{"null": {}}]),
        ("null, unique:id", [{"null": {}}, {"unique": {"column": "id"}}]),
        ("unique:id+day", [{"unique": {"columns": ["id", "day"]}}]),
        ("range:fare:0..500", [{"range": {"column": "fare", "min": 0, "max": 500}}]),
        ("range:fare:0.5..", [{"range": {"column": "fare", "min": 0.5}}]),
        ("range:*_time:..9", [{"range": {"column": "*_time", "max": 9}}]),
        (
            "range:day:2026-01-01..",
            [{"range": {"column": "day", "min": date(2026, 1, 1)}}],
        ),
        ("row_count::10..", [{"row_count": {"min": 10}}]),
        ("null:fare:mostly=0.9", [{"null": {"column": "fare", "mostly": 0.9}}]),
        (
            "range:fare:0..5;mostly=0.9;severity=low",
            [
                {
                    "range": {
                        "column": "fare",
                        "min": 0,
                        "max": 5,
                        "mostly": 0.9,
                        "severity": "low",
                    }
                }
            ],
        ),
        ("in_set:kind:a|b", [{"in_set": {"column": "kind", "values": ["a", "b"]}}]),
        ("in_set:kind:1|2", [{"in_set": {"column": "kind", "values": [1, 2]}}]),
        ("in_set:zip:01|2", [{"in_set": {"column": "zip", "values": ["01", 2]}}]),
        (
            "regex:email:^.+@.+$",
            [{"regex": {"column": "email", "pattern": "^.+@.+$"}}],
        ),
        (
            "regex:id:'^[A-Z]{2,3}:x$'",
            [{"regex": {"column": "id", "pattern": "^[A-Z]{2,3}:x$"}}],
        ),
        (
            r"regex:id:^\d{2\,3}$",
            [{"regex": {"column": "id", "pattern": r"^\d{2,3}$"}}],
        ),
        ("regex:id:it's", [{"regex": {"column": "id", "pattern": "it's"}}]),
        ("null:'a, b+c'", [{"null": {"column": "a, b+c"}}]),
        ('null:"a:b"+c', [{"null": {"columns": ["a:b", "c"]}}]),
        (
            "null:fare:where=kind = 'a, b'",
            [{"null": {"column": "fare", "where": "kind = 'a, b'"}}],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_short_notation_is_read(text, expected):
    assert parse(text) == expected


def test_where_goes_to_those_without_their_own():
    assert parse("null:a,null:b:where=x > 1", "y > 2") == [
        {"null": {"column": "a", "where": "y > 2"}},
        {"null": {"column": "b", "where": "x > 1"}},
    ]


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 0, "expected a validator"),
        ("null,,unique", 5, "expected a validator"),
        ("null,rang:x", 5, "did you mean 'range'"),
        ("unique:id+", 10, "expected a column"),
        ("range:fare:x", 11, "range expects bounds such as 0..500 here"),
        ("range:fare:0..5;mosty=1", 16, "did you mean 'mostly'"),
        ("range:fare:0..5;x", 16, "expected option=value"),
        ("null:fare:x", 10, "null expects option=value here"),
        ("null,range:fare:0..5;mostly=2", 5, "mostly is a share from 0 to 1"),
    ],
    ids=lambda value: str(value) or "empty",
)
def test_fault_is_pointed_at(text, column, said):
    with pytest.raises(ShorthandError) as caught:
        parse(text)

    message, shown, pointer = str(caught.value).split("\n")
    assert said in message
    assert shown == f"  {text}"
    assert pointer.index("^") - 2 == column == caught.value.position


def test_long_list_is_shown_around_the_fault():
    text = ",".join(["null"] * 40 + ["nul"] + ["null"] * 40)

    with pytest.raises(ShorthandError) as caught:
        parse(text)

    _, shown, pointer = str(caught.value).split("\n")
    assert len(shown) < 80
    assert shown[pointer.index("^") :].startswith("nul,")
