"""row_count: counted on every engine, filtered, by group, against another source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from engines import ENGINES, as_engine
from truthound.errors import ConfigurationError
from truthound.validators import CheckResult

bounds = st.sampled_from(
    [{"min": 3}, {"max": 3}, {"min": 2, "max": 4}, {"equals": 3}, {"equals": 0}]
)


def count(data: Any, **options: Any) -> CheckResult:
    return truthound.check(data, [{"row_count": options}], allow_empty=True).checks[0]


def within(rows: int, options: dict[str, int]) -> bool:
    if "equals" in options:
        return rows == options["equals"]
    return options.get("min", 0) <= rows <= options.get("max", rows)


@pytest.mark.parametrize("engine", ENGINES)
@given(
    rows=st.lists(st.tuples(st.integers(0, 1), st.sampled_from(["a", "b", None]))),
    options=bounds,
)
def test_verdict_is_that_of_a_loop(
    engine: str, rows: list[Any], options: dict[str, int]
) -> None:
    frame = pl.DataFrame(
        {"flag": [flag for flag, _ in rows], "group": [group for _, group in rows]},
        schema={"flag": pl.Int64, "group": pl.String},
    )
    data = as_engine(engine, frame)

    plain, where = count(data, **options), count(data, **options, where="flag = 1")
    grouped = count(data, **options, by="group")

    assert plain.observed == plain.checked == len(rows)
    assert plain.success is within(len(rows), options)
    flagged = sum(flag for flag, _ in rows)
    assert where.observed == flagged
    assert where.success is within(flagged, options)
    names = [group for _, group in rows]
    assert {g.group["group"]: (g.observed, g.passed) for g in grouped.groups} == {
        name: (names.count(name), within(names.count(name), options))
        for name in set(names)
    }


def test_another_source_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("x\n1\n2\n")
    good = count({"x": [1, 2]}, same_as=str(path))
    bad = count({"x": [1]}, same_as={"x": [1, 2, 3]})
    assert good.success
    assert bad.message == "expected exactly 3 rows, as dict has; 1"
    assert bad.severity == "critical"


def test_source_that_cannot_be_read_is_an_error_of_the_check(tmp_path: Path) -> None:
    torn = tmp_path / "torn.csv"
    torn.write_text('x,y\n1,"2\n')
    for source in (tmp_path / "none.csv", torn):
        run = truthound.check({"x": [1]}, [{"row_count": {"same_as": source}}, "null"])
        assert [check.status for check in run.checks] == ["error", "passed"]
        assert source.name in str(run.checks[0].error)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "needs min, max or both"),
        ({"min": 1, "equals": 1}, "needs min, max or both"),
        ({"min": 3, "max": 2}, r"min \(3\) is larger than max \(2\)"),
        ({"min": -1}, "min of row_count is a whole number from 0"),
        ({"min": 1, "column": "x"}, "column does not apply to row_count"),
        ({"min": 1, "mostly": 0.5}, "mostly does not apply to row_count"),
        ({"same_as": {"x": [1]}, "by": "x"}, "by does not go together with same_as"),
    ],
)
def test_faulty_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        count({"x": [1]}, **options)
