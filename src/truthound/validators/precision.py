"""Bounds as precise as a column: engines convert what is finer, each in its own way.

Against a column of whole milliseconds, for example, Polars cuts off the microseconds of
a bound, and a minimum would let through what is smaller; DuckDB does not. So a lower
bound is rounded up and an upper one down to the next value that the column can hold,
which changes nothing about what lies between them.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

from truthound.data import Column
from truthound.validators.moments import shifted

_WIDEST = 2**127 - 1  # no engine has larger integers
_MOST_DIGITS = 10**38 - 1  # of a decimal
_LARGEST_SINGLE = 3.4028234663852886e38  # of the floats of 32 bits


def fitted(column: Column, low: Any, high: Any) -> tuple[Any, Any]:
    """Return the bounds as values of the column's own type and precision.

    A bound of 32-bit floats is the nearest of them: 0.1 is what 0.1 is there.

    Args:
        column: what is compared.
        low: as ``bound_for`` made it; None stays None.
        high: likewise.
    """
    fit = _fit(column)
    if fit is None:
        return low, high
    return (
        None if low is None else fit(low, math.ceil),
        None if high is None else fit(high, math.floor),
    )


Rounding = Callable[[Any], int]


def _fit(column: Column) -> Callable[[Any, Rounding], Any] | None:
    if column.kind == "integer":
        return _integer
    if column.kind == "decimal":
        return partial(_decimal, int(column.dtype.rstrip("]").rpartition(",")[2]))
    if column.kind == "float":
        return partial(_float, column.dtype == "float32")
    if column.dtype.startswith("datetime[ms"):
        return _moment
    return _span if column.dtype == "duration[ms]" else None


def _integer(bound: Any, rounded: Rounding) -> Any:
    if isinstance(bound, float) and math.isinf(bound):
        return bound
    return max(min(rounded(bound), _WIDEST), -_WIDEST)


def _decimal(scale: int, bound: Any, rounded: Rounding) -> Any:
    if isinstance(bound, float):
        if math.isinf(bound):
            return bound
        bound = Decimal(repr(bound))  # 0.1 is 0.1, as it was written
    # As a fraction: a Decimal would be rounded to 28 digits on the way.
    numerator, denominator = bound.as_integer_ratio()
    units = rounded(Fraction(numerator * 10**scale, denominator))
    units = max(min(units, _MOST_DIGITS), -_MOST_DIGITS)
    return Decimal(f"{units}e-{scale}")


def _float(single: bool, bound: Any, rounded: Rounding) -> float:
    try:
        return in_32_bits(bound) if single else float(bound)
    except OverflowError:
        # Between the largest number that there is and infinity.
        largest = _LARGEST_SINGLE if single else sys.float_info.max
        if bound > 0:
            return math.inf if rounded is math.ceil else largest
        return -math.inf if rounded is math.floor else -largest


def in_32_bits(bound: Any) -> float:
    """Return a number as a column of 32-bit floats holds it.

    Raises:
        OverflowError: it is beyond the largest.
    """
    single: float = struct.unpack("<f", struct.pack("<f", float(bound)))[0]
    return single


def _moment(bound: datetime, rounded: Rounding) -> datetime:
    finer = bound.microsecond % 1_000
    if finer and rounded is math.ceil:
        return shifted(bound, timedelta(microseconds=1_000 - finer)) or bound
    return bound.replace(microsecond=bound.microsecond - finer)


def _span(bound: timedelta, rounded: Rounding) -> timedelta:
    micros = bound // timedelta(microseconds=1)
    return timedelta(milliseconds=rounded(Fraction(micros, 1_000)))
