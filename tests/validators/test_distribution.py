"""distribution: learned, referred and given; against SciPy, on every engine."""

from __future__ import annotations

import datetime as dt
import json
import math
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, kstest, norm

import truthound
from engines import ENGINES, as_engine
from truthound.errors import ConfigurationError
from truthound.validators import CheckResult, Severity, ValidationRun

integers = st.integers(-20, 20)
floats = st.floats(-100, 100, width=32).map(float)
samples_of = st.one_of(
    st.lists(integers.map(float), min_size=1, max_size=40),
    st.lists(floats, min_size=1, max_size=40),
)


def check(data: Any, **options: Any) -> CheckResult:
    spec = {"distribution": {"column": "x", **options}}
    return truthound.check(data, [spec], allow_empty=True).checks[0]


def twice(before: Any, today: Any, **options: Any) -> tuple[CheckResult, CheckResult]:
    """Return what the run that learns says, and the one after it."""
    spec = {"distribution": {"column": "x", **options}}
    runs = [
        truthound.check(data, [spec], name="c", allow_empty=True)
        for data in (before, today)
    ]
    return runs[0].checks[0], runs[1].checks[0]


def forget() -> None:
    for file in Path(".truthound").rglob("*.json"):
        file.unlink()


def frame_of(values: list[Any], dtype: Any = pl.Float64) -> pl.DataFrame:
    return pl.DataFrame({"x": pl.Series(values, dtype=dtype)})


def ks_of_scipy(values: list[float], reference: list[float]) -> float:
    with warnings.catch_warnings():
        # Its p-value cannot always be had for a few rows; nobody wants it here.
        warnings.simplefilter("ignore")
        return float(ks_2samp(values, reference).statistic)


def psi_of_numpy(reference: list[float], values: list[float]) -> float:
    deciles = np.unique(np.quantile(reference, np.arange(1, 10) / 10))
    bins = [-np.inf, *np.nextafter(deciles, np.inf), np.inf]  # up to an edge, with it
    e = np.maximum(np.histogram(reference, bins)[0] / len(reference), 1e-4)
    a = np.maximum(np.histogram(values, bins)[0] / len(values), 1e-4)
    return float(np.sum((a - e) * np.log(a / e)))


@pytest.mark.parametrize("engine", ENGINES)
@given(values=samples_of, reference=samples_of)
def test_ks_of_two_samples_is_that_of_scipy(
    engine: str, values: list[float], reference: list[float]
) -> None:
    data = as_engine(engine, frame_of([*values, None]))

    found = check(data, method="ks", reference=frame_of([None, *reference]), max=0.3)

    expected = ks_of_scipy(values, reference)
    assert found.error is None
    assert found.observed == pytest.approx(expected, abs=1e-12)
    assert found.checked == len(values)
    if abs(expected - 0.3) > 1e-9:
        assert found.success is bool(expected <= 0.3)


@pytest.mark.parametrize("engine", ENGINES)
@given(values=samples_of, mean=st.integers(-9, 9), std=st.integers(1, 9))
def test_ks_against_a_normal_is_that_of_scipy(
    engine: str, values: list[float], mean: int, std: int
) -> None:
    data = as_engine(engine, frame_of(values))

    found = check(data, method="ks", mean=mean, std=std)

    expected = kstest(values, norm(mean, std).cdf).statistic
    assert found.observed == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@given(
    values=st.lists(floats, min_size=1, max_size=40),
    reference=st.lists(floats, min_size=10, max_size=40, unique=True),
)
def test_psi_is_that_of_numpy(
    engine: str, values: list[float], reference: list[float]
) -> None:
    data = as_engine(engine, frame_of(values))

    found = check(data, method="psi", reference=frame_of(reference))

    assert found.observed == pytest.approx(psi_of_numpy(reference, values), abs=1e-9)


@given(values=samples_of, reference=samples_of)
@example(values=[1.5], reference=[0.0] * 5 + [1.0, 14.0])  # 1.0 is no quantile of these
def test_learned_ks_is_a_bound_and_learned_psi_is_exact(
    values: list[float], reference: list[float]
) -> None:
    forget()
    before, today = frame_of(reference), frame_of(values)

    ks, psi = twice(before, today, method="ks")[1], twice(before, today)[1]

    exact = ks_of_scipy(values, reference)
    # Values of the reference between two neighbours of the 101 quantiles.
    between = math.ceil((len(reference) - 1) / 100) / len(reference)
    assert exact - between - 1e-12 <= ks.observed <= exact + 1e-12
    direct = check(today, method="psi", reference=before)
    assert psi.observed == pytest.approx(direct.observed, abs=1e-12)


def test_learned_ks_of_many_rows_is_within_a_hundredth() -> None:
    dice = np.random.default_rng(5)
    before, today = dice.normal(size=4_000), dice.normal(0.3, 1.2, size=3_000)

    found = twice({"x": before}, {"x": today}, method="ks", max=1)[1]

    exact = ks_2samp(before, today).statistic
    assert exact - 0.0105 <= found.observed <= exact


@given(reference=samples_of)
def test_the_same_data_has_not_moved(reference: list[float]) -> None:
    forget()
    frame = frame_of([*reference, math.inf])
    for method in ("psi", "ks"):
        found = twice(frame, frame, method=method)[1]
        assert found.success
        assert found.observed == pytest.approx(0.0, abs=1e-12)
        assert check(frame, method=method, reference=frame).observed == 0.0


@pytest.mark.parametrize(
    ("before", "today"),
    [([5], [3]), ([5], [7]), ([0, 0, 1], [-1, -1, 1]), ([0, 1, 1], [0, 1, 2])],
)
@pytest.mark.parametrize("method", ["psi", "ks"])
def test_values_that_are_several_deciles_are_seen_to_move(
    method: str, before: list[int], today: list[int]
) -> None:
    data = {"x": before * 100}, {"x": today * 100}
    assert not twice(*data, method=method)[1].success
    assert not check(data[1], method=method, reference=data[0]).success


categories = st.lists(
    st.sampled_from(["a", "b", "c", "", "é"]), min_size=1, max_size=30
)


@pytest.mark.parametrize("engine", ENGINES)
@given(values=categories, reference=categories)
def test_jensen_shannon_is_that_of_scipy(
    engine: str, values: list[str], reference: list[str]
) -> None:
    data = as_engine(engine, frame_of([*values, None], pl.String))
    before = frame_of([None, *reference], pl.String)

    found = check(data, reference=before, max=0.4)

    names = sorted({*values, *reference})
    p = [reference.count(name) / len(reference) for name in names]
    q = [values.count(name) / len(values) for name in names]
    expected = jensenshannon(p, q, base=2)
    assert found.observed == pytest.approx(expected, abs=1e-7)
    new = {value for value in values if value not in reference}
    assert set(found.details.get("new", [])) == new
    forget()
    learned = twice(as_engine(engine, before), data, max=0.4)
    assert learned[1].observed == pytest.approx(found.observed, abs=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", ["auto", "ks", "js"])
@given(
    rows=st.lists(
        st.tuples(st.none() | integers, st.integers(0, 1), st.sampled_from("ab")),
        max_size=30,
    )
)
def test_where_and_by_judge_parts_of_the_rows(
    engine: str, method: str, rows: list[Any]
) -> None:
    schema = {"x": pl.Int64, "flag": pl.Int64, "group": pl.String}
    data = as_engine(engine, pl.DataFrame(rows, schema=schema, orient="row"))
    reference = frame_of([n for n in range(-20, 20) for _ in range(3)], pl.Int64)
    options = {"method": method, "reference": reference, "max": 0.5}

    where = check(data, where="flag = 1", **options)
    by = check(data, by="group", **options)

    _same(where, where.success, [r for r in rows if r[1] == 1], options)
    assert {group.group["group"] for group in by.groups} == {row[2] for row in rows}
    for group in by.groups:
        part = [row for row in rows if row[2] == group.group["group"]]
        _same(group, group.passed, part, options)


def _same(found: Any, passed: bool, rows: list[Any], options: dict[str, Any]) -> None:
    alone = check(frame_of([row[0] for row in rows], pl.Int64), **options)
    assert (found.observed, found.checked) == (alone.observed, alone.checked)
    assert passed is alone.success


def test_groups_are_compared_with_what_was_learned_of_all() -> None:
    frame = pl.DataFrame(
        {"x": [*range(100), *range(100)], "g": ["a"] * 100 + ["b"] * 100}
    )
    moved = frame.with_columns(x=pl.col("x") + 80 * (pl.col("g") == "b"))

    first, second = twice(frame, moved, by="g")

    assert first.message == "learned: 101 quantiles of 200 values"
    assert [group.group["g"] for group in second.groups if not group.passed] == ["b"]


DTYPES: list[tuple[str, list[Any]]] = [
    ("integer", list(range(100))),
    ("float", [n / 7 for n in range(100)]),
    ("decimal", [Decimal(n) / 4 for n in range(100)]),
    ("date", [dt.date(2026, 1, 1) + dt.timedelta(n) for n in range(100)]),
    ("datetime", [dt.datetime(2026, 1, 1) + dt.timedelta(hours=n) for n in range(100)]),
    ("zoned", [dt.datetime(2026, 1, 1, n % 24, tzinfo=dt.UTC) for n in range(100)]),
    ("time", [dt.time(n % 24, n // 2) for n in range(100)]),
    ("duration", [dt.timedelta(seconds=n) for n in range(100)]),
    ("boolean", [n % 3 == 0 for n in range(100)]),
    ("text", ["xyz"[n % 3] for n in range(100)]),
]


@pytest.mark.parametrize("values", [d[1] for d in DTYPES], ids=[d[0] for d in DTYPES])
def test_short_notation_learns_columns_of_every_kind(values: list[Any]) -> None:
    frame = pl.DataFrame({"x": values})
    moved = frame.sort("x").tail(30)

    runs = [
        truthound.check(data, ["distribution"], name="c")
        for data in (frame, frame, moved)
    ]

    assert [run.checks[0].error for run in runs] == [None] * 3
    assert [run.checks[0].success for run in runs] == [True, True, False]
    assert runs[0].checks[0].message.startswith("learned: ")
    assert "learned a baseline for 1 check" in runs[0].warnings[0]
    assert json.loads(json.dumps(runs[0].learned, allow_nan=False)) == runs[0].learned
    assert runs[2].checks[0].severity == Severity.CRITICAL
    assert "most moved: " in runs[2].checks[0].message
    assert ValidationRun.from_dict(runs[2].to_dict()).checks[0].success is False


@pytest.mark.parametrize("engine", ENGINES)
def test_short_notation_judges_or_passes_over_every_column(engine: str) -> None:
    frame = pl.DataFrame(
        {
            "n": range(60),
            "id": [f"user-{n}" for n in range(60)],
            "kind": ["a", "b"] * 30,
            "nothing": pl.Series([None] * 60, dtype=pl.Float64),
            "list": [[1]] * 60,
        }
    )

    first = truthound.check(as_engine(engine, frame), ["distribution"], name="c")
    second = truthound.check(as_engine(engine, frame), ["distribution"], name="c")

    said = {check.column: check.message for check in first.checks}
    assert said == {
        "n": "learned: 101 quantiles of 60 values",
        "id": "passed over: an identifier rather than a category",
        "kind": "learned: shares of 2 categories",
        "nothing": "nothing learned: no values",
        "list": "passed over: 'list' is list[int64], which has no distribution",
    }
    assert set(first.learned) == {"distribution:n", "distribution:kind"}
    assert first.success
    assert second.success
    assert second.checks[1].message == said["id"]


def test_identifiers_are_compared_if_they_are_named() -> None:
    names = [f"user-{n}" for n in range(1_500)]
    first, second = twice({"x": names}, {"x": names})
    assert first.message == "learned: shares of 1,000 categories"
    assert second.observed == pytest.approx(0.0, abs=1e-7)
    # What is beyond the thousandth category is one more: it cannot be told to be new.
    gone = check({"x": names[1_000:]}, reference={"x": names}, max=0.1)
    assert not gone.success
    assert "new" not in gone.details


def test_reference_of_identifiers_is_passed_over_if_it_is_not_named() -> None:
    frame = pl.DataFrame({"x": [f"user-{n}" for n in range(60)], "n": range(60)})
    rule = {"distribution": {"reference": frame}}
    run = truthound.check(frame, [rule])
    assert [check.success for check in run.checks] == [True, True]
    assert run.checks[0].message.startswith("passed over")
    assert run.checks[1].observed == 0.0


def test_new_categories_are_named_and_the_largest_move() -> None:
    found = check(
        {"x": ["card"] * 30 + ["pear"] * 70},
        reference={"x": ["card"] * 90 + ["cash"] * 10},
    )
    assert found.details["new"] == ["pear"]
    assert found.message.endswith("most moved: 'card', 90.0% -> 30.0%; new: 'pear'")


def test_bins_that_moved_are_told() -> None:
    found = check(
        {"x": [n + 60 for n in range(100)]}, reference={"x": list(range(100))}
    )
    assert found.details["bins"][-1] == {
        "bin": "above 89.1",
        "expected": pytest.approx(0.1),
        "actual": pytest.approx(0.7),
    }
    assert found.message.startswith("expected psi at most 0.434; ")
    assert "most moved: " in found.message


@pytest.mark.parametrize("method", ["psi", "ks"])
@pytest.mark.parametrize("how", ["reference", "normal", "learned"])
def test_nan_fails_and_is_counted(method: str, how: str) -> None:
    frame = frame_of([1.0, 2.0, math.nan, None])
    options: dict[str, Any] = {
        "reference": {"reference": {"x": [1.0, 2.0]}},
        "normal": {"mean": 0, "std": 1},
        "learned": {},
    }[how]
    if how == "learned":
        first, found = twice(frame, frame, method=method)
        assert not first.success
        assert first.message == (
            "learned: 101 quantiles of 2 values; 1 of 3 values is NaN"
        )
    else:
        found = check(frame, method=method, **options)
    assert not found.success
    assert (found.observed, found.checked) == ("NaN", 3)
    assert found.details == {"nan": 1}
    assert found.message == "1 of 3 values is NaN"


@pytest.mark.parametrize("dtype", [pl.Float64, pl.String, pl.Date])
def test_column_without_values(dtype: Any) -> None:
    full = {
        "x": {pl.Float64: [1.0], pl.String: ["a"], pl.Date: [dt.date(2026, 1, 1)]}[
            dtype
        ]
    }
    empty, nulls = frame_of([], dtype), frame_of([None, None], dtype)

    assert check(empty, reference=full).message == "no rows"
    assert check(empty, reference=full).success
    assert check(nulls, reference=full).message == "no values"
    assert not check(nulls, reference=full).success
    assert "no values" in str(check(full, reference=nulls).error)
    first, second = twice(nulls, full)
    assert first.message == "nothing learned: no values"
    assert second.message.startswith("learned: ")


def test_one_row_and_infinities() -> None:
    first, second = twice({"x": [1.0]}, {"x": [math.inf] * 50})
    assert first.success
    assert not second.success
    forget()
    first, second = twice({"x": [math.inf, -math.inf]}, {"x": [1.0]})
    assert first.message == "nothing learned: no values"
    assert "no values" in str(check({"x": [1.0]}, reference={"x": [math.inf]}).error)


def test_units_of_time_and_scale_do_not_matter() -> None:
    days = [dt.date(2026, 1, 1) + dt.timedelta(n) for n in range(50)]
    moments = pl.DataFrame({"x": days}).cast(pl.Datetime("ms"))
    cents = frame_of([Decimal(n) / 100 for n in range(50)], pl.Decimal(10, 4))
    for method in ("psi", "ks"):
        assert check({"x": days}, method=method, reference=moments).observed == 0.0
        same = check(
            cents, method=method, reference={"x": [n / 100 for n in range(50)]}
        )
        assert same.observed == 0.0


def test_integers_may_be_taken_as_categories() -> None:
    first, second = twice({"x": [1, 2] * 50}, {"x": [1, 3] * 50}, method="js")
    assert first.message == "learned: shares of 2 categories"
    assert second.details["new"] == ["3"]


def test_reference_may_be_a_file_and_another_column(tmp_path: Path) -> None:
    path = tmp_path / "before.csv"
    path.write_text("fare\n" + "\n".join(str(n) for n in range(100)))
    good = check({"x": list(range(100))}, reference=path, reference_column="fare")
    bad = check({"x": [5] * 100}, reference=str(path), reference_column="fare")
    assert good.observed == 0.0
    assert not bad.success


def test_reference_that_cannot_be_used_is_an_error_of_the_check(tmp_path: Path) -> None:
    torn = tmp_path / "torn.csv"
    torn.write_text('x,y\n1,"2\n')
    for reference, said in (
        (tmp_path / "none.csv", "none.csv"),
        (torn, "torn.csv"),
        ({"y": [1]}, "no column 'x'"),
        ({"x": ["a"]}, "cannot be compared with 'x' of dict (string)"),
        ({"x": [None]}, "cannot be compared with 'x' of dict (null)"),
    ):
        rule = {"distribution": {"column": "x", "reference": reference}}
        run = truthound.check({"x": [1]}, [rule, "null"])
        assert [check.status for check in run.checks] == ["error", "passed"]
        assert said in str(run.checks[0].error)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "kl"}, "method is auto, psi, ks or js, not 'kl'"),
        ({"max": -1}, "max is a number from 0"),
        ({"max": math.nan}, "max is a number from 0"),
        ({"mean": 1}, "mean and std are given together"),
        ({"mean": 1, "std": 0}, "std is a number above 0"),
        ({"mean": math.inf, "std": 1}, "mean is a number"),
        ({"mean": 1, "std": 1, "reference": {"x": [1]}}, "either a reference or mean"),
        ({"mean": 1, "std": 1, "method": "js"}, "js is of categories"),
        ({"reference_column": "y"}, "reference_column goes together with reference"),
        ({"mostly": 0.5}, "mostly does not apply to distribution"),
    ],
)
def test_faulty_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check({"x": [1]}, **options)


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        (["a"], {"method": "psi"}, "psi compares numbers, but 'x' is string"),
        ([1.5], {"method": "js"}, "js compares categories, but 'x' is float64"),
        (["a"], {"mean": 0, "std": 1}, "mean and std are of numbers"),
        ([[1]], {}, "which has no distribution"),
    ],
)
def test_what_does_not_fit_a_named_column_is_an_error(
    values: list[Any], options: Any, said: str
) -> None:
    assert said in str(check({"x": values}, **options).error)
    # Nobody has asked for it by name.
    run = truthound.check({"x": values}, [{"distribution": options}])
    assert run.checks[0].success
    assert said in run.checks[0].message


def test_what_was_learned_of_some_rows_is_kept_apart() -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0, 9.0], "g": ["a", "a", "b"]})
    rules = [
        {"distribution": {"column": "x"}},
        {"distribution": {"column": "x", "where": "g = 'a'"}},
    ]
    run = truthound.check(frame, rules, name="c")
    assert set(run.learned) == {"distribution:x", "distribution:x where g = 'a'"}


def test_column_that_changed_its_kind_says_to_learn_anew() -> None:
    second = twice({"x": [1, 2]}, {"x": ["a", "b"]})[1]
    assert second.status == "error"
    assert "truthound baseline reset" in str(second.error)
