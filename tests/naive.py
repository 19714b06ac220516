"""What a rule counts, as a plain Python loop over the values would count it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
from hypothesis import strategies as st

import truthound
from engines import as_engine
from truthound.validators import CheckResult

# Names that a careless expression would take for something else.
NAMES = ("", " ", "a b", "é", "row", "m0", '"', "numeric", "a*", "x")

integers = st.integers(-50, 50)
floats = st.one_of(
    st.floats(-50, 50, allow_nan=False, width=32).map(lambda v: round(v, 2)),
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0]),
)
texts = st.one_of(
    st.sampled_from(["", " ", "a", "A", "ab", "n/a", "é", "12", "-1", "1.5", "\t"]),
    st.text("ab1 é\n", max_size=4),
)
booleans = st.booleans()


def columns_of(
    values: st.SearchStrategy[Any], size: int = 12
) -> st.SearchStrategy[Any]:
    """Return lists of values in which some are missing; some lists are empty."""
    return st.lists(st.none() | values, max_size=size)


def run_on(
    engine: str, data: Mapping[str, tuple[Sequence[Any], Any]], spec: Any
) -> CheckResult:
    """Check rows, given as columns of values and types, on an engine."""
    frame = pl.DataFrame(
        {name: pl.Series(values, dtype=dtype) for name, (values, dtype) in data.items()}
    )
    run = truthound.check(as_engine(engine, frame), [spec], allow_empty=True)
    assert run.row_count == frame.height
    return run.checks[0]


def count_failures(
    values: Sequence[Any], holds: Callable[[Any], bool]
) -> tuple[int, int]:
    """Return how many values are judged, and how many of them are wrong."""
    judged = [value for value in values if value is not None]
    return len(judged), sum(not holds(value) for value in judged)


def count_repeats(keys: Sequence[Any]) -> tuple[int, int, int]:
    """Return how many keys are judged, stand in groups of equals, and are surplus."""
    seen = Counter(map(_key, keys))
    groups = sum(times for times in seen.values() if times > 1)
    return len(keys), groups, len(keys) - len(seen)


def _key(value: Any) -> Any:
    # NaN is equal to NaN here, and -0.0 to 0.0.
    if isinstance(value, tuple):
        return tuple(map(_key, value))
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    return value
