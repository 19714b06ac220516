"""Every rule says the same of a column whatever the column is called."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import truthound
from truthound._clock import Clock
from truthound.data import expr
from truthound.store import Baselines
from truthound.validators import CheckResult, registry
from truthound.validators.validation import Validation

START = dt.datetime(2026, 1, 1)
COLUMNS: dict[str, Any] = {
    "n": [1, 2, 2, None, 5, 90],
    "f": [1.0, -0.5, math.nan, None, 4.0, 80.0],
    "t": ["a", "b", "b", None, " ", "zz"],
    "d": [START + dt.timedelta(days=day) for day in (0, 1, 2, 2, 9, 1)],
    "g": ["x", "x", "y", "y", None, "x"],
}
# Names that some layer could take for a pattern, a placeholder, an option or its own.
ODD = [
    {"n": "*", "f": "^f$", "t": "a b", "d": 'q"uote', "g": "g'"},
    {"n": "^.*$", "f": "*", "t": "row", "d": "len", "g": "m0"},
    {"n": "n\x00", "f": "é.t", "t": "", "d": "select", "g": "\n"},
    {"n": "numeric", "f": "count", "t": "t*", "d": "[d]", "g": "{g}"},
]
CASES: list[tuple[str, dict[str, Any]]] = [
    ("null", {"column": "n"}),
    ("not_null", {"column": "n"}),
    ("blank", {"column": "t"}),
    ("unique", {"column": "n"}),
    ("unique", {"columns": ["n", "t"]}),
    ("duplicate", {}),
    ("duplicate", {"columns": ["n", "g"]}),
    ("range", {"column": "n", "min": 2, "max": 50}),
    ("range", {"column": "f", "min": 0}),
    ("range", {"column": "d", "max": "2026-01-05"}),
    ("range", {"column": "n"}),
    ("in_set", {"column": "t", "values": ["a"]}),
    ("not_in_set", {"column": "t", "values": ["a"]}),
    ("regex", {"column": "t", "pattern": "^[ab]$"}),
    ("not_regex", {"column": "t", "pattern": "b"}),
    ("length", {"column": "t", "max": 1}),
    ("format", {"column": "t", "format": "email"}),
    ("type", {"column": "t", "type": "integer"}),
    ("type", {"column": "n", "type": "integer"}),
    ("row_count", {"min": 10}),
    ("column_count", {"equals": 4}),
    ("monotonic", {"column": "n"}),
    ("freshness", {"column": "d", "max_age": "1h"}),
    ("date_range", {"column": "d", "min": "2026-01-02"}),
    ("compare", {"column": "n", "operator": "<", "other": "f"}),
    ("mean", {"column": "n", "max": 1}),
    ("median", {"column": "f", "max": 1}),
    ("std", {"column": "n", "max": 1}),
    ("quantile", {"column": "n", "q": 0.5, "max": 1}),
    ("sum", {"column": "n", "max": 1}),
    ("min", {"column": "n", "min": 3}),
    ("max", {"column": "n", "max": 3}),
    ("distinct_count", {"column": "t", "max": 1}),
    ("outlier", {"column": "n", "method": "iqr"}),
    ("correlation", {"column": "n", "other": "f", "max": 0.1}),
    ("distribution", {"column": "n"}),
    ("distribution", {"column": "t"}),
    ("schema", {}),
]
WHOLE, LEARNING = ("schema", "column_count", "distribution"), ("range",)
NAMING = ("name", "columns", "examples", "groups", "message", "expected")
REFERENCES = ("referential", "distribution", "expression", "custom")


class Later(Clock):
    def now(self) -> dt.datetime:
        return dt.datetime(2026, 1, 21, tzinfo=dt.UTC)


def renamed(value: Any, names_of: dict[str, str]) -> Any:
    """Return options in which columns have their odd names."""
    if isinstance(value, list):
        return [renamed(item, names_of) for item in value]
    return names_of.get(value, value) if isinstance(value, str) else value


def judged(
    frame: pl.DataFrame, rule: str, options: dict[str, Any], home: Path
) -> list[list[CheckResult]]:
    """Run twice, so that what is learned is compared as well."""
    validation = Validation.of(
        [{rule: options}], name="odd", baselines=Baselines(home), clock=Later()
    )
    later = frame.with_columns(pl.nth(0) * 3)
    return [list(validation.run(data).checks) for data in (frame, later)]


def told(
    runs: list[list[CheckResult]], back: dict[str, str]
) -> list[list[dict[str, Any]]]:
    """Return the results with the plain names, and without what contains them."""
    return [
        [
            {
                **{
                    name: value
                    for name, value in dataclasses.asdict(check).items()
                    if name not in NAMING
                },
                "columns": [back.get(name, name) for name in check.columns],
                "examples": [
                    [
                        (back.get(k) if n else "row", str(v))
                        for n, (k, v) in enumerate(row.items())
                    ]
                    for row in check.examples
                ],
                "groups": [
                    (*group.group.values(), group.passed, group.checked, group.failed)
                    for group in check.groups
                ],
            }
            for check in checks
        ]
        for checks in runs
    ]


# With what few rows take, and with what many take.
NAMES = [(0, 0), (1, 0), (0, 1_000), (2, 1_000), (3, 1_000)]


@pytest.mark.parametrize(("names", "few"), NAMES)
@pytest.mark.parametrize("by", [None, "g"], ids=["whole", "by"])
@pytest.mark.parametrize(("rule", "options"), CASES, ids=[c[0] for c in CASES])
def test_a_column_may_have_any_name(
    rule: str,
    options: dict[str, Any],
    by: str | None,
    names: int,
    few: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expr, "FEW_ROWS", few)
    names_of = ODD[names]
    if by and (rule in WHOLE or ("min" not in options and rule in LEARNING)):
        return  # by is refused
    plain = pl.DataFrame(COLUMNS)
    odd = plain.rename(names_of)
    given = options if by is None else {**options, "by": by}
    columns = {"column", "columns", "other", "by"}
    strange = {
        option: renamed(value, names_of) if option in columns else value
        for option, value in given.items()
    }
    expected = judged(plain, rule, given, tmp_path / "plain")
    found = judged(odd, rule, strange, tmp_path / "odd")
    back = {there: here for here, there in names_of.items()}
    assert told(found, back) == told(expected, {name: name for name in plain.columns})
    assert not [check.error for checks in expected for check in checks if check.error]


def test_every_rule_is_tried() -> None:
    assert {rule for rule, _ in CASES} | {*REFERENCES} == {*registry.names()}


@pytest.mark.parametrize("names_of", ODD, ids=range(len(ODD)))
def test_the_whole_table_by_default(names_of: dict[str, str]) -> None:
    odd = pl.DataFrame(COLUMNS).rename(names_of)
    rules = ["null", "blank", "duplicate", "range", "schema", "distribution"]
    arrow = [] if "n\x00" in odd.columns else [odd.to_arrow()]
    for data in (odd, odd.lazy(), *arrow):
        run = truthound.check(data, rules)
        assert [check.error for check in run.checks if check.error] == []


@pytest.mark.parametrize("names_of", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("ending", ["csv", "parquet", "ndjson"])
def test_files_and_their_failing_rows(
    names_of: dict[str, str], ending: str, tmp_path: Path
) -> None:
    odd = pl.DataFrame(COLUMNS).rename(names_of)
    path = tmp_path / f"data.{ending}"
    getattr(odd, f"write_{ending}")(path)
    rules = [
        "null",
        {"unique": {"column": names_of["n"]}},
        {"in_set": {"column": names_of["t"], "values": ["a"], "by": names_of["g"]}},
    ]
    run = truthound.check(path, rules)
    assert [check.error for check in run.checks if check.error] == []
    for kind in ("parquet", "csv"):
        bad = tmp_path / f"bad.{kind}"
        validation = Validation.of(rules)
        assert validation.write_failing(path, bad) == 5
        assert getattr(pl, f"read_{kind}")(bad).height == 5
