"""Quantiles and distinct counts that can be merged, with a stated error.

They are sketches of Apache DataSketches: KLL for quantiles (Z. Karnin, K. Lang and
E. Liberty, Optimal Quantile Approximation in Streams, 2016) and theta for distinct
counts (A. Dasgupta, K. Lang, L. Rhodes and J. Thaler, A Framework for Estimating
Stream Expression Cardinalities, 2016). A sketch is made of a column by the engine, as
one value of bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec

import polars as pl

from truthound.data.expr import Metric, unnamed
from truthound.data.merging import Merge

KLL_K = 400  # about 10 kB a column and file
KLL_ERROR = 0.0068  # of a rank, in 99 of 100 cases, as the library states it for KLL_K
THETA_LG_K = 12  # exact up to 4,096 different values; 32 kB a column and file at most
THETA_DEVIATIONS = 3  # the true count is within so many standard errors, 1.6 % each
QUANTILE_ERROR = f"KLL sketch, rank error {KLL_ERROR:.2%}"
DISTINCT_ERROR = f"theta sketch, error {THETA_DEVIATIONS / 2 ** (THETA_LG_K / 2):.1%}"
EXTRA = "truthound-async[sketches]"


class Estimate(float):
    """A number that a sketch tells, with the bounds of the exact one.

    Attributes:
        plain: the number, an int where the exact one is.
        low: the exact one is not smaller, as far as the sketch is trusted.
        high: nor is it larger.
        error: says in words how far it may be off.
    """

    plain: float
    low: float
    high: float
    error: str

    def __new__(cls, plain: float, low: float, high: float, error: str) -> Estimate:
        """Make one of the number and its bounds."""
        made = super().__new__(cls, plain)
        made.plain, made.low, made.high, made.error = plain, low, high, error
        return made


@lru_cache(maxsize=1)
def available() -> bool:
    """Tell whether the library of sketches is installed."""
    return find_spec("datasketches") is not None and find_spec("numpy") is not None


def kll(numbers: pl.Expr) -> pl.Expr:
    """Return the KLL sketch of the numbers of a column, NaN left out."""
    return numbers.cast(pl.Float64).map_batches(
        _kll, return_dtype=pl.Binary, returns_scalar=True
    )


def theta(values: pl.Expr) -> pl.Expr:
    """Return the theta sketch of the values of a column, missing ones left out."""
    return values.map_batches(_theta, return_dtype=pl.Binary, returns_scalar=True)


def quantile_merge(sketch: Metric, share: float) -> Merge:
    """Return how a quantile follows from the KLL sketches of the parts."""
    return Merge(lambda parts: _quantile(parts, share), (sketch,), QUANTILE_ERROR)


def distinct_merge(sketch: Metric) -> Merge:
    """Return how a distinct count follows from the theta sketches of the parts."""
    return Merge(_distinct, (sketch,), DISTINCT_ERROR)


def _kll(column: pl.Series) -> pl.Series:
    from datasketches import kll_doubles_sketch

    sketch = kll_doubles_sketch(KLL_K)
    column = unnamed(column).drop_nulls()
    numbers = column.filter(column.is_not_nan())
    sketch.update(numbers.to_numpy(writable=True))  # it takes no other array
    return pl.Series([sketch.serialize()], dtype=pl.Binary)


def _theta(column: pl.Series) -> pl.Series:
    from datasketches import update_theta_sketch

    sketch = update_theta_sketch(THETA_LG_K)
    column = unnamed(column).drop_nulls()
    if isinstance(column.dtype, (pl.Categorical, pl.Enum)):
        column = column.cast(pl.String)  # whose codes differ from file to file
    # The sketch takes one value after the other: of many rows, only different ones.
    for value in column.hash().unique().reinterpret(signed=True).to_list():
        sketch.update(value)
    return pl.Series([sketch.compact().serialize()], dtype=pl.Binary)


def _quantile(parts: Sequence[bytes], share: float) -> float | None:
    from datasketches import kll_doubles_sketch

    merged = kll_doubles_sketch(KLL_K)
    for part in parts:
        merged.merge(kll_doubles_sketch.deserialize(part))
    size = int(merged.n)
    if not size:
        return None
    place = share * (size - 1)  # see QuantileValidator for the definition

    def at(index: float) -> float:
        """Return the item at a place among the sorted ones, from 0."""
        rank = min(max((index + 0.5) / size, 0.0), 1.0)
        return float(merged.get_quantile(rank, inclusive=True))

    if not merged.is_estimation_mode():
        return _between(at(math.floor(place)), at(math.ceil(place)), place % 1)
    reach = merged.normalized_rank_error(False) * size
    low, high = at(math.floor(place) - reach), at(math.ceil(place) + reach)
    return Estimate(at(round(place)), low, high, QUANTILE_ERROR)


def _between(below: float, above: float, share: float) -> float:
    """Interpolate; between infinities as the rule does, by their sum."""
    if not share:
        return below
    middle = below + (above - below) * share
    return below + above if math.isnan(middle) else middle


def _distinct(parts: Sequence[bytes]) -> int | Estimate:
    from datasketches import compact_theta_sketch, theta_union

    union = theta_union(THETA_LG_K)
    for part in parts:
        union.update(compact_theta_sketch.deserialize(part))
    found = union.get_result()
    count: int = round(found.get_estimate())
    if not found.is_estimation_mode():
        return count
    return Estimate(
        count,
        math.floor(found.get_lower_bound(THETA_DEVIATIONS)),
        math.ceil(found.get_upper_bound(THETA_DEVIATIONS)),
        DISTINCT_ERROR,
    )
