"""date_range: dates and times must lie between two moments, fixed or relative."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, ClassVar

from truthound.data import Column
from truthound.errors import CheckError, ConfigurationError
from truthound.validators.base import Check, RowValidator, Scope
from truthound.validators.bounds import bound_for, interval, within, zone_of
from truthound.validators.formats import is_date, is_datetime
from truthound.validators.moments import crossed
from truthound.validators.spans import time_span

_RELATIVE = re.compile(r"(now|today)?\s*(?:([+-])\s*(.+))?")
_DAY = timedelta(days=1)
_TEXT = "datetime[us, UTC]"  # what a text is read as

Moment = date | datetime


@dataclass(kw_only=True, eq=False)
class DateRangeValidator(RowValidator):
    """Dates or times must lie between two moments, both of which count as inside.

    A date as ``max`` means the end of that day, as ``min`` its beginning. A column of
    text is read as ISO 8601 (in UTC, unless it says otherwise); text that is no date
    or moment fails. A missing value is not judged.

    Args:
        min: the earliest: a date, a datetime, ISO 8601 text, or relative to the run:
            ``now``, ``today``, ``-7d``, ``today-1d``, ``now+12h``. Days begin in UTC;
            the spans are those of ``freshness``.
        max: the latest, likewise.

    Example:
        >>> import polars as pl, truthound
        >>> people = pl.DataFrame({"born": ["1990-04-01", "2190-04-01", "soon"]})
        >>> rule = {"date_range": {"column": "born", "min": "1900-01-01", "max": "now"}}
        >>> truthound.check(people, [rule]).checks[0].failed
        2
    """

    rule = "date_range"
    row_by_row = True
    accepts: ClassVar[tuple[str, ...]] = ("date", "datetime", "string")

    min: str | date | datetime | None = None
    max: str | date | datetime | None = None

    def check_options(self) -> None:
        if self.min is None and self.max is None:
            raise ConfigurationError("date_range needs min, max or both")
        epoch = datetime(2000, 1, 1, tzinfo=UTC)
        for option, value in (("min", self.min), ("max", self.max)):
            _fixed(option, value, epoch)

    def expectation(self) -> str:
        return interval(self.min, self.max)

    def checks(self, scope: Scope) -> Iterator[Check]:
        now = scope.clock.now()
        low, high = _fixed("min", self.min, now), _fixed("max", self.max, now)
        relative = _is_relative(self.min) or _is_relative(self.max)
        if relative:
            scope.reusable = False  # the moments are those of this run
        fixed = replace(self, min=low, max=high)
        for column in self.selected(scope):
            bounds = fixed.bounds(column)  # before the select, so that it can fail
            if crossed(*bounds):
                raise CheckError(f"min ({self.min}) is after max ({self.max})")
            check = fixed.row_check(
                scope,
                (column.name,),
                partial(fixed.holds, column),
                lasting=not relative,
            )
            if column.kind == "string":
                check = _only_polars(check)
            yield replace(check, validator=self)

    def bounds(self, column: Column) -> tuple[Any, Any]:
        """Return the bounds in the column's own type; both count as inside.

        Raises:
            CheckError: a moment does not fit the column.
        """
        if column.kind == "string":
            column = Column(column.name, "datetime", _TEXT)
        low, high = self.min, self.max
        if column.kind == "datetime" and type(high) is date:
            high = _last_of(high, column)
        return (
            bound_for(column, "min", _fitted(column, low)),
            bound_for(column, "max", _fitted(column, high)),
        )

    def holds(self, column: Column, ns: Any) -> Any:
        values = ns.col(column.name)
        if column.kind != "string":
            return within(values, column, *self.bounds(column))
        return within(_moments(values, ns), column, *self.bounds(column)).fill_null(
            False
        )


def _is_relative(value: object) -> bool:
    return isinstance(value, str) and bool(value) and bool(_RELATIVE.fullmatch(value))


def _fixed(option: str, value: Moment | str | None, now: datetime) -> Any:
    """Return the date or moment that is meant.

    Raises:
        ConfigurationError: it is none.
    """
    if value is None or isinstance(value, date):
        return value
    if not isinstance(value, str) or not value.strip():
        raise _no_date(option, value)
    text = value.strip()
    found = _RELATIVE.fullmatch(text)
    if found is None:
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise _no_date(option, value) from None
    base, sign, span = found.groups()
    shift = time_span(option, span) if span else timedelta(0)
    shift = -shift if sign == "-" else shift
    try:
        if base == "today":
            if shift % _DAY == timedelta(0):
                return now.astimezone(UTC).date() + shift
            return datetime.combine(now.astimezone(UTC), time(), tzinfo=UTC) + shift
        return now + shift
    except OverflowError:
        raise ConfigurationError(
            f"{option} is beyond the calendar: {value!r}"
        ) from None


def _no_date(option: str, value: object) -> ConfigurationError:
    return ConfigurationError(
        f"{option} is a date in ISO 8601, or relative to the run ('today', '-7d'), "
        f"not {value!r}"
    )


def _last_of(day: date, column: Column) -> datetime:
    """Return the last moment of a day that a column can hold."""
    unit = column.dtype.removeprefix("datetime[")[:2]
    last = time(23, 59, 59, 999_000 if unit == "ms" else 999_999)
    return datetime.combine(day, last)


def _fitted(column: Column, value: Any) -> Any:
    """Bring a moment to where ``bound_for`` expects it."""
    if isinstance(value, datetime) and value.tzinfo:
        if column.kind == "date":
            return value.astimezone(UTC).date()
        if zone_of(column) is None:  # its times are taken to be in UTC
            return value.astimezone(UTC).replace(tzinfo=None)
    return value


def _moments(texts: Any, ns: Any) -> Any:
    """Return ISO 8601 texts as moments; null for what is none."""
    day, clock = texts.str.slice(0, 10), texts.str.slice(11)
    minutes, offset = clock.str.slice(0, 5), clock.str.extract(r"([+-].*)$", 1)
    seconds = clock.str.extract(r"^..:..:([0-9]{2})", 1).fill_null("00")
    fraction = clock.str.extract(r"[.,]([0-9]{1,6})", 1).fill_null("0")
    shift = offset.str.slice(1, 2).cast(ns.Int64, strict=False) * 60
    shift = shift + offset.str.slice(-2).cast(ns.Int64, strict=False)
    shift = ns.when(offset.str.starts_with("-")).then(-shift).otherwise(shift)
    whole = ns.concat_str(
        day, ns.lit("T"), minutes, ns.lit(":"), seconds, ns.lit("."), fraction
    )
    text = (
        ns.when(is_date(texts, ns))
        .then(ns.concat_str(day, ns.lit("T00:00:00.0")))
        .when(is_datetime(texts, ns))
        .then(whole)
    )
    naive = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    moment = naive - ns.duration(minutes=shift.fill_null(0))
    return moment.dt.replace_time_zone("UTC")


def _only_polars(check: Check) -> Check:
    """Have a check's condition evaluated by Polars, wherever the data is."""
    *counts, fails = check.metrics
    failing = check.failing
    return replace(
        check,
        metrics=(*counts, replace(fails, portable=False)),
        failing=failing and replace(failing, portable=False),
    )
