# ruff: noqa: E501 - the table reads better in long lines
"""Formats: known good and bad texts, and what the standard library makes of them."""

from __future__ import annotations

import ipaddress
import json
import re
import uuid
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from truthound.validators.formats import FORMATS

GOOD = {
    "email": ["a@b.co", "x.y+z@ex-ample.org", "o'neil@sub.example.museum", "a" * 64 + "@b.co"],
    "url": ["http://a.com", "https://[::1]:80/x?y=1#z", "ftp://localhost/a", "HTTPS://1.2.3.4"],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000"],
    "ipv4": ["1.2.3.4", "255.255.255.255", "0.0.0.0"],
    "ipv6": ["::", "::1", "1::", "2001:db8::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4"],
    "date": ["2024-02-29", "0001-01-01", "9999-12-31"],
    "datetime": ["2024-02-29T23:59:59Z", "2024-01-01 10:00", "2024-01-01T10:00:00.123+02:00"],
    "json": ["{}", "[1, 2]", "null", '"a"', '{"a": [true, 1e3]}'],
    "e164": ["+4912345678", "+14155552671"],
    "iban": ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "NO9386011117947",
             "MT84MALT011000012345MTLCAST001S"],
    "credit_card": ["4111 1111 1111 1111", "378282246310005", "6011-1111-1111-1117"],
    "country": ["DE", "DEU", "GB", "USA"],
    "currency": ["EUR", "USD", "JPY", "XXX"],
}  # fmt: skip
BAD = {
    "email": ["a@b", "@b.co", "a..b@c.co", "a b@c.co", "", ".a@b.co", "a@-b.co", "a" * 65 + "@b.co"],
    "url": ["a.com", "http://", "http://a b.com", "javascript:alert(1)", "http://a", ""],
    "uuid": ["123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400g"],
    "ipv4": ["1.2.3", "256.1.1.1", "01.1.1.1", "1.2.3.4.5", " 1.2.3.4"],
    "ipv6": [":::", "1::2::3", "1:2:3:4:5:6:7", "12345::", "1:2:3:4:5:6:7:8:9", "1.2.3.4"],
    "date": ["2023-02-29", "2024-13-01", "24-01-01", "0000-01-01", "2024-1-1", "2024-01-01 "],
    "datetime": ["2023-02-29T00:00", "2024-01-01T24:00", "2024-01-01", "2024-01-01T10"],
    "json": ["{", "NaN", "", "[1,]", "{'a': 1}", "tru"],
    "e164": ["0049123", "+0123", "+49 123", "+1234567890123456"],
    "iban": ["DE89370400440532013001", "XX89370400440532013000", "DE8937040044053201300", ""],
    "credit_card": ["4111111111111112", "1234", "4111_1111_1111_1111", "41111111111111111111"],
    "country": ["XX", "de", "D", "ZZZ"],
    "currency": ["XYZ", "eur", "EURO"],
}  # fmt: skip


def judged(name: str, texts: list[str]) -> list[bool]:
    frame = pl.DataFrame({"v": pl.Series(texts, dtype=pl.String)})
    rule = {"format": {"column": "v", "format": name}}
    check = truthound.check(
        frame, [rule], sample_rows=len(texts), allow_empty=True
    ).checks[0]
    assert check.error is None
    wrong = {example["row"] for example in check.examples}
    assert check.failed == len(wrong)
    return [number not in wrong for number in range(1, len(texts) + 1)]


@pytest.mark.parametrize("name", FORMATS)
def test_known_texts(name: str) -> None:
    assert dict(
        zip(GOOD[name], judged(name, GOOD[name]), strict=True)
    ) == dict.fromkeys(GOOD[name], True)
    assert dict(zip(BAD[name], judged(name, BAD[name]), strict=True)) == dict.fromkeys(
        BAD[name], False
    )


def parses(parse: Any, text: str) -> bool:
    try:
        parse(text)
    except (ValueError, RecursionError):
        return False
    return True


def no_constant(name: str) -> None:
    raise ValueError(name)


REFERENCES: dict[str, tuple[Any, Any]] = {
    "ipv4": (
        st.one_of(st.ip_addresses(v=4).map(str), st.text("0123456789.", max_size=15)),
        lambda t: parses(ipaddress.IPv4Address, t),
    ),
    "ipv6": (
        st.one_of(
            st.ip_addresses(v=6).map(str),
            st.ip_addresses(v=6).map(lambda a: a.exploded),
            st.lists(
                st.sampled_from(["1", "abcd", "", "0", "1.2.3.4"]), max_size=10
            ).map(":".join),
        ),
        lambda t: parses(ipaddress.IPv6Address, t),
    ),
    "uuid": (
        st.one_of(st.uuids().map(str), st.text("0123456789abcdef-", max_size=36)),
        lambda t: parses(uuid.UUID, t) and t.count("-") == 4 and len(t) == 36,
    ),
    "date": (
        st.one_of(
            st.dates().map(str),
            st.tuples(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32)).map(
                lambda p: f"{p[0]:04}-{p[1]:02}-{p[2]:02}"
            ),
        ),
        lambda t: (
            bool(re.fullmatch(r"\d{4}-\d\d-\d\d", t)) and parses(date.fromisoformat, t)
        ),
    ),
    "json": (
        st.one_of(
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.text(),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
                max_leaves=5,
            ).map(json.dumps),
            st.text('{}[]":,0123null', max_size=8),
        ),
        lambda t: parses(lambda x: json.loads(x, parse_constant=no_constant), t),
    ),
}


@pytest.mark.parametrize("name", REFERENCES)
@given(data=st.data())
def test_formats_agree_with_the_standard_library(
    name: str, data: st.DataObject
) -> None:
    strategy, reference = REFERENCES[name]
    texts = data.draw(st.lists(strategy, max_size=10))

    assert judged(name, texts) == [reference(text) for text in texts]


def luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


@given(cards=st.lists(st.text("0123456789", min_size=12, max_size=19), max_size=20))
def test_credit_cards_pass_luhn(cards: list[str]) -> None:
    assert judged("credit_card", cards) == [luhn(card) for card in cards]


@given(
    tails=st.lists(
        st.tuples(st.integers(0, 99), st.text("0123456789", min_size=18, max_size=18)),
        max_size=20,
    )
)
def test_ibans_have_a_right_check_number(tails: list[tuple[int, str]]) -> None:
    texts = [f"DE{check:02}{tail}" for check, tail in tails]

    def right(text: str) -> bool:
        moved = text[4:] + text[:4]
        return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1

    assert judged("iban", texts) == [right(text) for text in texts]
