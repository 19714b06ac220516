"""Compare a check with a Python loop: plain, with ``where``, with ``by``, with both."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
from hypothesis import strategies as st

import truthound
from engines import as_engine
from truthound.validators import CheckResult, Severity

Row = dict[str, Any]
# Says of each row whether it holds (True), fails (False) or is not judged (None).
Judge = Callable[[Sequence[Row]], list[bool | None]]

FLAG, GROUP = "flag", "group"


def tables(**columns: tuple[st.SearchStrategy[Any], Any]) -> st.SearchStrategy[Any]:
    """Return frames of such columns, with a flag to filter and a group to split by."""
    strategies = {
        **{name: st.none() | values for name, (values, _) in columns.items()},
        FLAG: st.integers(0, 1),
        GROUP: st.sampled_from(["a", "b", None]),
    }
    schema = {name: dtype for name, (_, dtype) in columns.items()}
    schema |= {FLAG: pl.Int64, GROUP: pl.String}
    rows = st.lists(st.fixed_dictionaries(strategies), max_size=10)
    return rows.map(
        lambda found: pl.DataFrame(
            {name: [row[name] for row in found] for name in schema}, schema=schema
        )
    )


def agrees(
    engine: str, frame: pl.DataFrame, rule: str, options: dict[str, Any], judge: Judge
) -> None:
    """Assert that the check counts what the loop counts."""
    data = as_engine(engine, frame)
    for where in (None, f"{FLAG} = 1"):
        for by in (None, GROUP):
            extra = {"where": where, "by": by, "mostly": 0.7}
            given = {k: v for k, v in extra.items() if v is not None}
            run = truthound.check(
                data, [{rule: options}, {rule: {**options, **given}}], allow_empty=True
            )
            assert run.row_count == frame.height
            plain, special = run.checks
            _compare(plain, frame.to_dicts(), judge, engine)
            _compare_special(special, frame.to_dicts(), judge, where, by)


def _compare(found: CheckResult, rows: list[Row], judge: Judge, engine: str) -> None:
    verdicts = judge(rows)
    assert found.error is None
    assert (found.checked, found.failed) == _counts(verdicts)
    assert found.success is (found.failed == 0)
    if found.failed:
        assert found.severity == Severity.of_share(found.failed / found.checked)
    failing = [n for n, verdict in enumerate(verdicts, 1) if verdict is False]
    if engine == "duckdb":
        assert len(found.examples) == min(5, len(failing))
    else:
        assert [example["row"] for example in found.examples] == failing[:5]


def _compare_special(
    found: CheckResult,
    rows: list[Row],
    judge: Judge,
    where: str | None,
    by: str | None,
) -> None:
    judged = [row for row in rows if where is None or row[FLAG] == 1]
    assert found.error is None
    if by is None:
        checked, failed = _counts(judge(judged))
        assert (found.checked, found.failed) == (checked, failed)
        assert found.success is _enough(checked, failed)
        return
    names = {row[GROUP] for row in rows}
    expected = {
        name: _counts(judge([row for row in judged if row[GROUP] == name]))
        for name in names
    }
    seen = {group.group[GROUP]: (group.checked, group.failed) for group in found.groups}
    assert seen == expected
    assert found.success is all(_enough(*counts) for counts in expected.values())


def _counts(verdicts: Sequence[bool | None]) -> tuple[int, int]:
    judged = [verdict for verdict in verdicts if verdict is not None]
    return len(judged), judged.count(False)


def _enough(checked: int, failed: int) -> bool:
    return failed <= math.floor(0.3 * checked + 1e-6)


def each(holds: Callable[[Row], bool | None]) -> Judge:
    """Return the judge of a rule that looks at one row only."""
    return lambda rows: [holds(row) for row in rows]
