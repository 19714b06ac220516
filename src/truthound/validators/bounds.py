"""Bounds of a range: as the user writes them, as a column's type needs them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from truthound.data import Column
from truthound.errors import CheckError

Bound = int | float | Decimal | date | datetime | time | timedelta | str


def bound_for(column: Column, option: str, value: Bound | None) -> Any:
    """Turn an option's value into one that compares with the column's values.

    A text stands for a date or time in ISO 8601; without a time zone it is meant in
    the column's own.

    Raises:
        CheckError: the value does not fit the column's type.
    """
    if value is None:
        return None
    if column.is_a("numeric"):
        if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            if isinstance(value, float) and math.isnan(value):
                raise _unfit(column, option, value, "a number")
            return value
        raise _unfit(column, option, value, "a number")
    if column.kind == "date":
        return _date(column, option, value)
    if column.kind == "datetime":
        return _datetime(column, option, value)
    if column.kind == "time":
        try:
            return time.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            raise _unfit(column, option, value, "a time such as 23:59:00") from None
    if column.kind == "duration":
        return timedelta(seconds=value) if isinstance(value, (int, float)) else value
    raise CheckError(
        f"{option} cannot be compared with {column.name!r}, which is {column.dtype}"
    )


def _date(column: Column, option: str, value: Bound) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(str(value)).date()
    except ValueError:
        raise _unfit(column, option, value, "a date such as 2026-01-31") from None


def _datetime(column: Column, option: str, value: Bound) -> datetime:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - zone follows
    if not isinstance(value, datetime):
        try:
            value = datetime.fromisoformat(str(value))
        except ValueError:
            expected = "a moment such as 2026-01-31T09:00"
            raise _unfit(column, option, value, expected) from None
    zone = zone_of(column)
    if zone is None:
        if value.tzinfo is not None:
            raise _unfit(column, option, value, "a moment without a time zone")
        return value
    if value.tzinfo is None:
        return value.replace(tzinfo=zone)
    try:
        # Moments compare only with those of the same zone.
        return value.astimezone(zone)
    except OverflowError:
        expected = "a moment of the years 1 to 9999"
        raise _unfit(column, option, value, expected) from None


def _unfit(column: Column, option: str, value: Bound, expected: str) -> CheckError:
    return CheckError(
        f"{option}={value!r} does not fit {column.name!r}, which is {column.dtype}: "
        f"expected {expected}"
    )


def zone_of(column: Column) -> ZoneInfo | None:
    """Return the time zone of a column of datetimes, None if it has none."""
    _, comma, zone = column.dtype.rstrip("]").partition(", ")
    return ZoneInfo(zone) if comma else None


def within(values: Any, low: Any, high: Any, ns: Any, *, is_float: bool) -> Any:
    """Return the expression that is true for values between the bounds.

    NaN is outside every range: Polars and DuckDB hold it to be larger than any
    number, so a lower bound alone would let it pass.
    """
    if low is not None and high is not None:
        return values.is_between(low, high)
    if high is not None:
        return values <= high
    if low is None:  # learned from both infinities
        return ~values.is_nan()
    if is_float:
        return (values >= low) & ~values.is_nan()
    return values >= low


def interval(low: Any, high: Any) -> str:
    """Say the bounds in words: ``between 0 and 5``, ``at least 0``, ``at most 5``."""
    if low is not None and high is not None:
        return f"exactly {low}" if low == high else f"between {low} and {high}"
    if low is not None:
        return f"at least {low}"
    return f"at most {high}" if high is not None else "any value"


def widened(low: Any, high: Any, margin: float) -> tuple[Any, Any]:
    """Return the bounds with a share of their span added on both sides.

    For dates it is rounded up to whole days. Times of day, and a bound whose other side
    is open, stay as they are.
    """
    if low is None or high is None or isinstance(low, time):
        return low, high
    span = high - low
    if isinstance(span, timedelta) and type(low) is date:
        days = timedelta(days=math.ceil(span.days * margin))
        return low - days, high + days
    if isinstance(span, Decimal):
        extra: Any = span * Decimal(str(margin))
    elif isinstance(span, int):
        extra = int(span * margin)  # a part of a whole number lets no other one in
    else:
        extra = span * margin
    return low - extra, high + extra


def plain(value: Any) -> Any:
    """Return a bound as JSON can hold it; ``bound_for`` is the way back."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
