"""column_count: a number of the table itself, on every engine."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import truthound
from engines import ENGINES, as_engine
from naive import NAMES
from truthound.errors import ConfigurationError


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("options", "passes"),
    [
        ({"equals": 2}, True),
        ({"equals": 3}, False),
        ({"min": 2, "max": 2}, True),
        ({"min": 3}, False),
        ({"max": 1}, False),
    ],
)
@pytest.mark.parametrize("rows", [0, 1], ids=["empty", "one row"])
def test_columns_are_counted(
    engine: str, options: dict[str, int], passes: bool, rows: int
) -> None:
    frame = pl.DataFrame({"a b": [1], '"': [None]}).head(rows)
    frame = frame.cast({'"': pl.Int64})
    run = truthound.check(
        as_engine(engine, frame), [{"column_count": options}], allow_empty=True
    )
    check = run.checks[0]
    assert (check.observed, check.success) == (2, passes)
    assert check.severity == (None if passes else "critical")


def test_odd_names_are_columns_like_others() -> None:
    frame = pl.DataFrame({name: [1] for name in NAMES})
    rule = {"column_count": {"equals": len(NAMES)}}
    assert truthound.check(frame, [rule]).success


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "needs min, max or both, or equals"),
        ({"min": 1, "equals": 2}, "needs min, max or both, or equals"),
        ({"min": 5, "max": 4}, "is larger than max"),
        ({"equals": -1}, "equals of column_count is a whole number"),
        ({"equals": 1, "where": "x > 1"}, "where does not apply to column_count"),
        ({"equals": 1, "by": "x"}, "by does not apply to column_count"),
    ],
)
def test_faulty_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        truthound.check({"x": [1]}, [{"column_count": options}])
