"""Text formats: for each a description and the condition that a text satisfies.

The conditions are Polars expressions: a regular expression where that says it all,
arithmetic on the characters where there is a check digit, and Python itself, once for
each different text, for JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from truthound.data import by_value
from truthound.validators.codes import COUNTRIES, CURRENCIES, IBAN_LENGTHS

Condition = Callable[[Any, Any], Any]  # (texts, polars) -> boolean expression


@dataclass(frozen=True, slots=True)
class Format:
    """A format of texts.

    Attributes:
        words: what a text in it is, for people.
        holds: makes the condition from the texts and the namespace.
    """

    words: str
    holds: Condition


def _matches(words: str, pattern: str) -> Format:
    return Format(words, lambda texts, ns: texts.str.contains(pattern))


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_TOP = r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])"
_DOMAIN = rf"(?:{_LABEL}\.)+{_TOP}"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_HEX = r"[0-9A-Fa-f]{1,4}"


def _ipv6() -> str:
    # The nine forms of RFC 3986, appendix A: n groups before "::", the rest after it.
    last = rf"(?:{_HEX}:{_HEX}|{_IPV4})"
    forms = [rf"(?:{_HEX}:){{6}}{last}"]
    for before in range(8):
        head = rf"(?:(?:{_HEX}:){{0,{before - 1}}}{_HEX})?" if before else ""
        tail = {6: _HEX, 7: ""}.get(before, rf"(?:{_HEX}:){{{5 - before}}}{last}")
        forms.append(f"{head}::{tail}")
    return "|".join(forms)


_IPV6 = _ipv6()
_DAY = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?"
_OFFSET = r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])"


def is_date(texts: Any, ns: Any) -> Any:
    """Return the condition of ISO 8601 calendar dates that exist."""
    return texts.str.contains(rf"^{_DAY}$") & _exists(texts, ns)


def is_datetime(texts: Any, ns: Any) -> Any:
    """Return the condition of RFC 3339 moments, the time zone may be left out."""
    shape = texts.str.contains(rf"^{_DAY}[Tt ]{_TIME}{_OFFSET}?$")
    return shape & _exists(texts.str.slice(0, 10), ns)


def _exists(days: Any, ns: Any) -> Any:
    parsed = days.str.to_date("%Y-%m-%d", strict=False)
    return parsed.is_not_null() & ~days.str.starts_with("0000")


def _is_email(texts: Any, ns: Any) -> Any:
    # RFC 5321, 4.5.3.1: 64 octets before the @, 254 in all.
    shape = texts.str.contains(rf"^{_ATOM}(?:\.{_ATOM})*@{_DOMAIN}$")
    short = texts.str.contains(r"^[^@]{1,64}@") & (texts.str.len_bytes() <= 254)
    return shape & short


def _is_json(texts: Any, ns: Any) -> Any:
    return by_value(texts, _parses)


def _parses(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is Python's, not JSON's")


def _is_credit_card(texts: Any, ns: Any) -> Any:
    """Return the condition of ISO/IEC 7812 numbers with a right check digit (Luhn)."""
    shape = texts.str.contains(r"^[0-9](?:[ -]?[0-9]){11,18}$")
    backwards = texts.str.replace_all(r"[ -]", "").str.reverse()
    total = ns.lit(0)
    for place in range(19):
        digit = backwards.str.slice(place, 1).cast(ns.Int64, strict=False).fill_null(0)
        if place % 2:  # every second digit counts twice, less 9 from 10 on
            digit = digit * 2 - (digit > 4).cast(ns.Int64) * 9
        total = total + digit
    return shape & (total % 10 == 0)


def _is_iban(texts: Any, ns: Any) -> Any:
    """Return the condition of ISO 13616 account numbers.

    The first four characters go to the end, letters become numbers from 10, and the
    whole modulo 97 (ISO/IEC 7064) must be 1. Spaces between groups are allowed.
    """
    plain = texts.str.replace_all(" ", "", literal=True)
    shape = plain.str.contains(r"^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$")
    length = plain.str.slice(0, 2).replace_strict(
        IBAN_LENGTHS, default=0, return_dtype=ns.Int64
    )
    letters = [chr(65 + n) for n in range(26)]
    numbers = [str(10 + n) for n in range(26)]
    moved = plain.str.slice(4) + plain.str.slice(0, 4)
    digits = moved.str.replace_many(letters, numbers)
    rest = ns.lit(0, dtype=ns.Int64)
    for start in range(0, 68, 14):  # 34 characters are at most 68 digits
        piece = digits.str.slice(start, 14)
        size = piece.str.len_chars()
        value = piece.cast(ns.Int64, strict=False).fill_null(0)
        rest = (rest * ns.lit(10, dtype=ns.Int64).pow(size) + value) % 97
    known = plain.str.len_chars() == length
    return shape & known & (rest == 1) & ~texts.str.contains(r"^ | $")


def _is_country(texts: Any, ns: Any) -> Any:
    return texts.is_in([*COUNTRIES, *COUNTRIES.values()])


FORMATS: Mapping[str, Format] = {
    "email": Format("an e-mail address (RFC 5321, dot-atom form)", _is_email),
    "url": _matches(
        "an http, https or ftp address (RFC 3986)",
        rf"^(?i:https?|ftp)://(?:[^\s/?#@]+@)?(?:{_DOMAIN}|localhost|{_IPV4}"
        rf"|\[(?:{_IPV6})\])(?::[0-9]{{1,5}})?(?:[/?#][^\s<>\"{{}}|\\^`]*)?$",
    ),
    "uuid": _matches(
        "a UUID (RFC 9562)",
        r"^[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$",
    ),
    "ipv4": _matches("an IPv4 address", rf"^{_IPV4}$"),
    "ipv6": _matches("an IPv6 address (RFC 4291)", rf"^(?:{_IPV6})$"),
    "date": Format("a date such as 2026-01-31 (ISO 8601)", is_date),
    "datetime": Format("a moment such as 2026-01-31T09:00:00Z (RFC 3339)", is_datetime),
    "json": Format("a JSON text (RFC 8259)", _is_json),
    "e164": _matches("a telephone number (ITU-T E.164)", r"^\+[1-9][0-9]{1,14}$"),
    "iban": Format("an IBAN (ISO 13616)", _is_iban),
    "credit_card": Format("a card number (ISO/IEC 7812, Luhn)", _is_credit_card),
    "country": Format("a country code (ISO 3166-1 alpha-2 or alpha-3)", _is_country),
    "currency": Format(
        "a currency code (ISO 4217)", lambda texts, ns: texts.is_in(sorted(CURRENCIES))
    ),
}
