"""The table that the benchmarks check, and the truth about it.

Load: N rows of eleven columns, made from the row number alone, so that every
machine and every run gets the same table. Faults are planted at known rows:
nulls, repeated ids, numbers out of range, malformed and empty e-mail addresses,
values outside the allowed set (the text "n/a" among them). The columns `day`,
`note` and `paid` are read by no check.

Machine: any; making a million rows takes seconds, and the files stay in a folder
under the system's temporary directory.

Comparison: `Dataset.truth` holds, for each check, the number of rows that fail
and whether the check holds. The numbers come from what was planted; up to a
million rows a plain Python loop over the values counts them again, and a
disagreement stops the benchmark.

The module needs Polars only to make a table; the checks are plain values.

    python benchmarks/datasets.py --rows 1000000
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

LAYOUT = 1  # raised when the table changes, so that old files are not used again
EMAIL = r"^[a-z0-9._]+@[a-z0-9.]+\.[a-z]{2,}$"
KINDS = ("card", "cash", "credit", "transfer", "voucher")
CITIES = ("Aarhus", "Bergen", "Gdansk", "Ghent", "Porto", "Tartu", "Turku")
COUNT_BY_LOOP_UP_TO = 1_000_000  # rows; a Python loop takes seconds beyond that

# column -> (fewest faults, one fault in this many rows)
NULLS = {
    "id": (2, 5_000),
    "customer": (3, 200),
    "city": (2, 1_000),
    "kind": (2, 500),
    "amount": (2, 400),
    "email": (2, 300),
}
WRONG = {
    "id": (4, 2_500),
    "amount": (3, 250),
    "quantity": (4, 700),
    "email": (5, 350),
    "kind": (4, 450),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One check, in words that every library's adapter can translate.

    Args:
        name: How the check is called in results and tables.
        kind: `row_count`, `not_null`, `range`, `unique`, `regex`, `in_set`,
            `mean_std` or `quantile`.
        column: The column it reads; None for the whole table.
        options: Bounds, pattern or values.
    """

    name: str
    kind: str
    column: str | None
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Truth:
    """What a right answer to the checks says.

    Args:
        counts: Failing rows by check; None where a check is about the table as a
            whole. `unique` counts every row of a group of equal ids.
        surplus: The other usual count for `unique`: rows beyond the first of
            each group.
        verdicts: Whether each check holds.
        planted: By column, how many values are `null`, `empty` text and the text
            `n/a`. They explain a wrong count; no check is about them alone.
    """

    counts: dict[str, int | None]
    surplus: int
    verdicts: dict[str, bool]
    planted: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A generated table on disk and what is true of it."""

    rows: int
    parquet: Path
    csv: Path
    checks: tuple[Check, ...]
    truth: Truth

    def frame(self) -> pl.DataFrame:
        """Read the whole table into memory."""
        import polars as pl

        return pl.read_parquet(self.parquet)


def ten_checks(rows: int) -> tuple[Check, ...]:
    """Return the fixed checks for a table of that many rows."""
    slack = max(1, rows // 10)
    size = {"min": rows - slack, "max": rows + slack}
    return (
        Check("row_count", "row_count", None, size),
        Check("not_null:customer", "not_null", "customer", {}),
        Check("not_null:city", "not_null", "city", {}),
        Check("not_null:kind", "not_null", "kind", {}),
        Check("range:amount", "range", "amount", {"min": 0.0, "max": 500.0}),
        Check("range:quantity", "range", "quantity", {"min": 1, "max": 20}),
        Check("unique:id", "unique", "id", {}),
        Check("regex:email", "regex", "email", {"pattern": EMAIL}),
        Check("in_set:kind", "in_set", "kind", {"values": list(KINDS)}),
        Check(
            "mean_std:score",
            "mean_std",
            "score",
            {"mean": [40.0, 60.0], "std": [5.0, 15.0]},
        ),
        Check("quantile:score", "quantile", "score", {"q": 0.95, "max": 60.0}),
    )


def make(rows: int, folder: Path | None = None) -> Dataset:
    """Return the table with that many rows, making its files if they are missing.

    The files appear in one step, so two runs at once do not see half a table.

    Args:
        rows: At least 100, so that all planted faults have room.
        folder: Where tables are kept; None is a folder under the system's
            temporary directory.

    Raises:
        ValueError: Fewer than 100 rows, or planted and counted faults disagree.
    """
    if rows < 100:
        raise ValueError(f"the faults need at least 100 rows, not {rows}")
    base = folder or Path(tempfile.gettempdir()) / "truthound-bench"
    home = base / f"layout-{LAYOUT}-rows-{rows}"
    if not (home / "truth.json").is_file():
        base.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=base, prefix="draft-"))
        try:
            _write(rows, draft)
            if not home.exists():
                draft.rename(home)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    truth = json.loads((home / "truth.json").read_text(encoding="utf-8"))
    return Dataset(
        rows=rows,
        parquet=home / "data.parquet",
        csv=home / "data.csv",
        checks=ten_checks(rows),
        truth=Truth(**truth),
    )


def _write(rows: int, folder: Path) -> None:
    frame, counts, surplus = _generate(rows)
    checks = ten_checks(rows)
    verdicts = {
        check.name: counts[check.name] == 0
        if counts[check.name] is not None
        else _holds(check, frame)
        for check in checks
    }
    if rows <= COUNT_BY_LOOP_UP_TO:
        counted = {check.name: count_by_loop(check, frame) for check in checks}
        if counted != counts:
            raise ValueError(f"planted {counts}, counted {counted}")
    frame.write_parquet(folder / "data.parquet")
    frame.write_csv(folder / "data.csv")
    truth = Truth(
        counts=counts,
        surplus=surplus,
        verdicts=verdicts,
        planted={name: _special(frame, name) for name in frame.columns},
    )
    text = json.dumps(asdict(truth), indent=1)
    (folder / "truth.json").write_text(text, encoding="utf-8")


def _special(frame: pl.DataFrame, name: str) -> dict[str, int]:
    import polars as pl

    column = frame.get_column(name)
    found = {"null": column.null_count(), "empty": 0, "n/a": 0}
    if column.dtype == pl.String:
        found["empty"] = column.filter(column == "").len()
        found["n/a"] = column.filter(column == "n/a").len()
    return found


def _noise(seed: int) -> pl.Expr:
    """Return 64 mixed bits for each row: splitmix64 of the row number.

    Polars' own hash may change between its versions; this may not.
    """
    import polars as pl

    def word(number: int) -> pl.Expr:
        return pl.lit(number & (2**64 - 1), dtype=pl.UInt64)

    mixed = (pl.col("row") + word(seed << 32)) * word(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed // word(2**30))) * word(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed // word(2**27))) * word(0x94D049BB133111EB)
    return mixed ^ (mixed // word(2**31))


def _below(limit: int, seed: int) -> pl.Expr:
    """Return a number from 0 to limit - 1 for each row."""
    import polars as pl

    return (_noise(seed) % limit).cast(pl.Int64)


def _name(values: tuple[str, ...], seed: int) -> pl.Expr:
    import polars as pl

    names = dict(enumerate(values))
    return _below(len(values), seed).replace_strict(names, return_dtype=pl.String)


def _clean(rows: int) -> pl.DataFrame:
    """Return the table before any fault is planted."""
    import polars as pl

    row = pl.col("row").cast(pl.Int64)
    bell = _below(10_000, 5) + _below(10_000, 6) + _below(10_000, 7)
    day = pl.lit("2020-01-01").str.to_date() + pl.duration(days=_below(2_000, 8))
    return (
        pl.select(pl.int_range(rows, dtype=pl.UInt64).alias("row"))
        .lazy()
        .select(
            (row * 7 + 1_000_000).alias("id"),
            day.dt.strftime("%Y-%m-%d").alias("day"),
            (_below(50_000, 1) + 1).alias("customer"),
            pl.format(
                "{}.{}@mail{}.example.org",
                _name(("ana", "bo", "chris", "dominique", "eva", "fritz"), 2),
                row,
                _below(40, 3),
            ).alias("email"),
            _name(CITIES, 4).alias("city"),
            _name(KINDS, 9).alias("kind"),
            (_below(50_001, 10) / 100).round(2).alias("amount"),
            (_below(20, 11) + 1).alias("quantity"),
            (bell / 500 + 20).round(3).alias("score"),
            pl.format("order {} of {}", row, _name(CITIES, 12)).alias("note"),
            (_below(10, 13) > 0).alias("paid"),
        )
        .collect()
    )


def _share(sizes: tuple[int, int], rows: int) -> int:
    fewest, one_in = sizes
    return max(fewest, rows // one_in)


def _spots(rows: int, count: int, offset: int) -> list[int]:
    """Return that many different row numbers, spread over the table."""
    stride = max(1, int(rows * 0.6180339887))
    while math.gcd(stride, rows) != 1:
        stride += 1
    return [(offset + step * stride) % rows for step in range(count)]


def _generate(rows: int) -> tuple[pl.DataFrame, dict[str, int | None], int]:
    """Return the table, the failing rows by check, and the surplus ids."""
    import polars as pl

    frame = _clean(rows)
    planted: dict[str, int | None] = {check.name: None for check in ten_checks(rows)}
    surplus = 0
    for number, name in enumerate(dict.fromkeys([*NULLS, *WRONG])):
        missing = _share(NULLS[name], rows) if name in NULLS else 0
        wrong = _share(WRONG[name], rows) if name in WRONG else 0
        # A repeated id needs its first bearer too, which must stay as it is.
        spare = wrong if name == "id" else 0
        spots = _spots(rows, missing + wrong + spare, offset=number * 13)
        column = frame.get_column(name)
        if name == "id":
            # The first two spots repeat one id: a group of three rows.
            bearers = spots[missing + wrong :]
            values = column.gather([bearers[0], *bearers[:1], *bearers[2:]]).to_list()
            surplus = wrong
            planted["unique:id"] = wrong + len(set(values))
        else:
            values = [_fault(name, step) for step in range(wrong)]
            key = {"email": "regex", "kind": "in_set"}.get(name, "range")
            if wrong:
                planted[f"{key}:{name}"] = wrong
        if f"not_null:{name}" in planted:
            planted[f"not_null:{name}"] = missing
        column = column.scatter(spots[missing : missing + wrong], values)
        column = column.scatter(spots[:missing], None)
        frame = frame.with_columns(column.cast(pl.Series(frame[name]).dtype))
    return frame, planted, surplus


def _fault(name: str, step: int) -> float | int | str:
    """Return the step-th wrong value of a column."""
    faults: dict[str, tuple[float | int | str, ...]] = {
        "amount": (-0.01, 500.01, 9_999.0),
        "quantity": (0, 21, -3, 1_000),
        "email": ("no-at-sign", "", "two@@example.org", "ana@", "Ana@Example"),
        "kind": ("n/a", "CASH", "card ", "", "coupon"),
    }
    values = faults[name]
    return values[step % len(values)]


def count_by_loop(check: Check, frame: pl.DataFrame) -> int | None:
    """Count the failing rows of one check with a plain Python loop.

    Nulls pass every check of values and are left out of uniqueness.

    Returns:
        None for a check of the whole table.
    """
    if check.column is None or check.kind in ("mean_std", "quantile"):
        return None
    values = frame.get_column(check.column).to_list()
    present = [value for value in values if value is not None]
    options = check.options
    if check.kind == "not_null":
        return len(values) - len(present)
    if check.kind == "range":
        return sum(not options["min"] <= value <= options["max"] for value in present)
    if check.kind == "regex":
        pattern = re.compile(options["pattern"])
        return sum(pattern.search(value) is None for value in present)
    if check.kind == "in_set":
        allowed = set(options["values"])
        return sum(value not in allowed for value in present)
    seen: dict[Any, int] = {}
    for value in present:
        seen[value] = seen.get(value, 0) + 1
    return sum(times for times in seen.values() if times > 1)


def _holds(check: Check, frame: pl.DataFrame) -> bool:
    """Decide a check of the whole table, without the engine's aggregates."""
    options = check.options
    if check.kind == "row_count":
        return bool(options["min"] <= frame.height <= options["max"])
    values = sorted(frame.get_column(check.column or "").to_list())
    if check.kind == "quantile":
        place = options["q"] * (len(values) - 1)
        low = math.floor(place)
        high = math.ceil(place)
        quantile = values[low] + (values[high] - values[low]) * (place - low)
        return bool(quantile <= options["max"])
    mean = math.fsum(values) / len(values)
    spread = math.sqrt(
        math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    )
    return bool(
        options["mean"][0] <= mean <= options["mean"][1]
        and options["std"][0] <= spread <= options["std"][1]
    )


def _main() -> None:
    parser = argparse.ArgumentParser(description="make a benchmark table")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    dataset = make(arguments.rows, arguments.folder)
    print(dataset.parquet.parent)
    for check in dataset.checks:
        count = dataset.truth.counts[check.name]
        state = "holds" if dataset.truth.verdicts[check.name] else "fails"
        print(f"{check.name:20} {state}  {'' if count is None else count}")


if __name__ == "__main__":
    _main()
