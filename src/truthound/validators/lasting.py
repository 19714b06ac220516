"""Whether what a rule found of a file that does not change stays true."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

_PLAIN = (str, int, float, bool, bytes, Decimal, date, datetime, time, timedelta)


def is_lasting(validator: Any) -> bool:
    """Tell whether a rule and its options say the same in every process.

    A rule of the user's own may be another one tomorrow, under the same name; an option
    that is no plain value, such as a function, has no text that would tell.
    """
    if not type(validator).__module__.startswith("truthound."):
        return False
    options = (getattr(validator, f.name) for f in dataclasses.fields(validator))
    # Of ``where`` it is known whether it can be told; names and severities are plain.
    return all(_is_plain(value) or value is validator.where for value in options)


def _is_plain(value: Any) -> bool:
    if value is None or type(value) in _PLAIN or isinstance(value, Enum):
        return True
    if type(value) in {list, tuple}:
        return all(_is_plain(item) for item in value)
    if isinstance(value, Mapping):
        return all(_is_plain(k) and _is_plain(v) for k, v in value.items())
    return False
