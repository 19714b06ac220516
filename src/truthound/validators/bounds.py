"""Bounds of a range: as the user writes them, as a column's type needs them."""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any
from zoneinfo import ZoneInfo

from truthound.data import Column
from truthound.errors import CheckError
from truthound.validators.moments import instant, shifted
from truthound.validators.precision import fitted

_DIGITS = 80  # twice as many as a decimal can have

Bound = int | float | Decimal | date | datetime | time | timedelta | str


def bound_for(column: Column, option: str, value: Bound | None) -> Any:
    """Turn an option's value into one that compares with the column's values.

    A text stands for a date or time in ISO 8601. Where the column has a time zone, a
    moment without one is meant in the column's; where it has none, a moment with one
    does not fit.

    Raises:
        CheckError: the value does not fit the column's type.
    """
    if value is None:
        return None
    if column.is_a("numeric"):
        return _number(column, option, value)
    if column.kind == "date":
        return _date(column, option, value)
    if column.kind == "datetime":
        return _datetime(column, option, value)
    if column.kind == "time":
        return _time(column, option, value)
    if column.kind == "duration":
        return _duration(column, option, value)
    raise CheckError(
        f"{option} cannot be compared with {column.name!r}, which is {column.dtype}"
    )


def _number(column: Column, option: str, value: Bound) -> int | float | Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, (float, Decimal)) and not math.isnan(value):
        # An infinite Decimal is one that Polars cannot read.
        return float(value) if math.isinf(value) else value
    raise _unfit(column, option, value, "a number")


def _date(column: Column, option: str, value: Bound) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(_text(value)).date()
    except ValueError:
        raise _unfit(column, option, value, "a date such as 2026-01-31") from None


def _datetime(column: Column, option: str, value: Bound) -> datetime:
    moment = value
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - below
    if not isinstance(moment, datetime):
        try:
            moment = datetime.fromisoformat(_text(moment))
        except ValueError:
            expected = "a moment such as 2026-01-31T09:00"
            raise _unfit(column, option, value, expected) from None
    zone = zone_of(column)
    if zone is None:
        if moment.tzinfo is not None:
            raise _unfit(column, option, value, "a moment without a time zone")
        return moment
    local = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
    try:
        # By way of UTC: a time that a change of the clock leaves out would be refused.
        return local.astimezone(UTC).astimezone(zone)
    except OverflowError:
        if moment.tzinfo is None:
            return local
        expected = "a moment of the years 1 to 9999"
        raise _unfit(column, option, value, expected) from None


def _time(column: Column, option: str, value: Bound) -> time:
    try:
        clock = value if isinstance(value, time) else time.fromisoformat(_text(value))
    except ValueError:
        clock = None
    if clock is None or clock.tzinfo is not None:
        raise _unfit(column, option, value, "a time such as 23:59:00")
    return clock


def _duration(column: Column, option: str, value: Bound) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return timedelta(seconds=value)
        except (OverflowError, ValueError):  # an infinity, or no number
            pass
    raise _unfit(column, option, value, "seconds, or a timedelta")


def _text(value: object) -> str:
    """Return a text as it is; whatever else might look like one is none."""
    return value if isinstance(value, str) else ""


def _unfit(column: Column, option: str, value: Bound, expected: str) -> CheckError:
    return CheckError(
        f"{option}={value!r} does not fit {column.name!r}, which is {column.dtype}: "
        f"expected {expected}"
    )


def zone_of(column: Column) -> ZoneInfo | None:
    """Return the time zone of a column of datetimes, None if it has none."""
    _, comma, zone = column.dtype.rstrip("]").partition(", ")
    return ZoneInfo(zone) if comma else None


def within(values: Any, column: Column, low: Any, high: Any) -> Any:
    """Return the expression that is true for values between the bounds.

    It is null for a missing value. NaN is outside every range: Polars and DuckDB hold
    it to be larger than any number, so a lower bound alone would let it pass.
    """
    low, high = fitted(column, low, high)
    if low is not None and high is not None:
        return values.is_between(low, high)
    if high is not None:
        return values <= high
    right = values >= (values if low is None else low)
    return right & ~values.is_nan() if column.is_a("float") else right


def interval(low: Any, high: Any) -> str:
    """Say the bounds in words: ``between 0 and 5``, ``at least 0``, ``at most 5``."""
    if low is not None and high is not None:
        if instant(low) == instant(high):
            return f"exactly {low}"
        return f"between {low} and {high}"
    if low is not None:
        return f"at least {low}"
    return f"at most {high}" if high is not None else "any value"


def widened(low: Any, high: Any, margin: float) -> tuple[Any, Any]:
    """Return the bounds with a share of their span added on both sides.

    For dates it is rounded up to whole days. Times of day, and a bound whose other side
    is open, stay as they are. A side that comes to lie beyond the calendar is open; the
    largest float is not exceeded, so that an infinity stays outside.
    """
    if low is None or high is None or isinstance(low, time) or not margin:
        return low, high
    span = instant(high) - instant(low)
    try:
        extra = _share(span, margin, in_days=type(low) is date)
    except OverflowError:
        return None, None
    with localcontext(prec=_DIGITS):
        low, high = shifted(low, -extra), shifted(high, extra)
    if isinstance(span, float):
        return max(low, -sys.float_info.max), min(high, sys.float_info.max)
    return low, high


def _share(span: Any, margin: float, *, in_days: bool) -> Any:
    if in_days:
        return timedelta(days=math.ceil(span.days * margin))
    if isinstance(span, Decimal):
        return (span * Decimal(str(margin))).normalize()
    if isinstance(span, int):
        return int(span * margin)  # a part of a whole number lets no other one in
    return span * margin


def plain(value: Any) -> Any:
    """Return a bound as JSON can hold it; ``kept`` is the way back.

    An infinity bounds nothing and becomes None.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def kept(column: Column, option: str, value: Any) -> Any:
    """Return a bound that ``plain`` made.

    Raises:
        CheckError: it does not fit the column, whose type was another one then.
    """
    if column.is_a("numeric") and isinstance(value, str):
        with suppress(InvalidOperation):  # ``bound_for`` says what it is instead
            value = Decimal(value)
    return bound_for(column, option, value)
