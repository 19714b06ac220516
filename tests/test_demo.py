"""The demo's numbers against a count in plain Python that shares no code with it."""

from __future__ import annotations

import csv
import io
import re
import runpy
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from statistics import fmean, quantiles

import pytest

from truthound.checkpoint import load_checkpoints

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"


@pytest.fixture(scope="module")
def folder() -> Path:
    return runpy.run_path(str(DEMO))["data_folder"]()


@pytest.fixture(scope="module")
def tables(folder) -> dict[str, list[dict[str, str]]]:
    found = {
        name: list(csv.DictReader(io.StringIO((folder / f"{name}.csv").read_text())))
        for name in ("planes", "airports", "airlines", "weather")
    }
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        (member,) = archive.namelist()
        text = archive.read(member).decode()
    found["flights"] = list(csv.DictReader(io.StringIO(text)))
    return found


@pytest.fixture(scope="module")
def checks(folder):
    checkpoints = load_checkpoints(DEMO.with_name("nycflights.yaml"), folder=folder)
    return {
        (checkpoint.name, check.name): check
        for checkpoint in checkpoints
        for check in checkpoint.run().validation_run
    }


def repeated(rows, *names: str) -> int:
    groups = Counter(tuple(row[name] for name in names) for row in rows)
    return sum(count for count in groups.values() if count > 1)


def unknown(rows, names, others, other_names) -> int:
    known = {tuple(row[name] for name in other_names) for row in others}
    keys = [tuple(row[name] for name in names) for row in rows]
    return sum("NA" not in key and key not in known for key in keys)


def missing(rows, name: str) -> int:
    return sum(row[name] == "NA" for row in rows)


def fails(rows, holds, *names: str) -> int:
    """Count the rows whose numbers are all there and for which it does not hold."""
    values = ([row[name] for name in names] for row in rows)
    return sum(
        not holds(*map(float, numbers)) for numbers in values if "NA" not in numbers
    )


AMERICAN = re.compile(r"N[1-9](\d{0,4}|\d{0,3}[A-HJ-NP-Z]|\d{0,2}[A-HJ-NP-Z]{2})")

COUNTS = {
    ("flights", "the flight left"): lambda t: missing(t["flights"], "dep_time"),
    ("flights", "it came down where it should"): lambda t: sum(
        row["arr_time"] != "NA" and row["air_time"] == "NA" for row in t["flights"]
    ),
    ("flights", "the plane is named"): lambda t: missing(t["flights"], "tailnum"),
    ("flights", "the plane's number is an American one"): lambda t: sum(
        row["tailnum"] != "NA" and not AMERICAN.fullmatch(row["tailnum"])
        for row in t["flights"]
    ),
    ("flights", "the plane is in planes"): lambda t: unknown(
        t["flights"], ["tailnum"], t["planes"], ["tailnum"]
    ),
    ("flights", "the airline is in airlines"): lambda t: unknown(
        t["flights"], ["carrier"], t["airlines"], ["carrier"]
    ),
    ("flights", "the origin is in airports"): lambda t: unknown(
        t["flights"], ["origin"], t["airports"], ["faa"]
    ),
    ("flights", "the destination is in airports"): lambda t: unknown(
        t["flights"], ["dest"], t["airports"], ["faa"]
    ),
    ("flights", "the hour is in weather"): lambda t: unknown(
        t["flights"], ["origin", "time_hour"], t["weather"], ["origin", "time_hour"]
    ),
    ("flights", "a flight number flies once a day"): lambda t: repeated(
        t["flights"], "year", "month", "day", "carrier", "flight"
    ),
    ("flights", "key: hour, airline, flight"): lambda t: repeated(
        t["flights"], "time_hour", "carrier", "flight"
    ),
    ("flights", "distance in miles"): lambda t: fails(
        t["flights"], lambda miles: 80 <= miles <= 5000, "distance"
    ),
    ("flights", "a clock shows 0000 to 2359 [dep_time]"): lambda t: fails(
        t["flights"], lambda time: time <= 2359, "dep_time"
    ),
    ("flights", "a clock shows 0000 to 2359 [arr_time]"): lambda t: fails(
        t["flights"], lambda time: time <= 2359, "arr_time"
    ),
    ("flights", "hour and minute are the schedule"): lambda t: fails(
        t["flights"],
        lambda s, h, m: s == 100 * h + m,
        "sched_dep_time",
        "hour",
        "minute",
    ),
    ("flights", "no faster than 650 miles an hour"): lambda t: fails(
        t["flights"], lambda miles, m: miles * 60 <= 650 * m, "distance", "air_time"
    ),
    ("flights", "landed after take-off on that day"): lambda t: fails(
        t["flights"], lambda arrived, left: arrived > left, "arr_time", "dep_time"
    ),
    ("flights", "hours in the air"): lambda t: beyond_fences(t["flights"], "air_time"),
    ("planes", "the year of construction is known"): lambda t: missing(
        t["planes"], "year"
    ),
    ("planes", "built since the jet age began"): lambda t: fails(
        t["planes"], lambda year: 1958 <= year <= 2013, "year"
    ),
    ("planes", "airliners have turbines"): lambda t: sum(
        not row["engine"].startswith("Turbo-") for row in t["planes"]
    ),
    ("airports", "null(tzone)"): lambda t: missing(t["airports"], "tzone"),
    ("airports", "in America, Aleutian Islands included"): lambda t: fails(
        t["airports"], lambda lon: lon < 0 or lon > 172, "lon"
    ),
    ("weather", "key: origin, hour in UTC"): lambda t: repeated(
        t["weather"], "origin", "time_hour"
    ),
    ("weather", "an hour of local time comes once"): lambda t: repeated(
        t["weather"], "origin", "year", "month", "day", "hour"
    ),
    ("weather", "wind in miles an hour"): lambda t: fails(
        t["weather"], lambda speed: 0 <= speed <= 200, "wind_speed"
    ),
    ("weather", "the dew point is below the temperature"): lambda t: fails(
        t["weather"], lambda dew, temperature: dew <= temperature, "dewp", "temp"
    ),
    ("weather", "null(pressure)"): lambda t: missing(t["weather"], "pressure"),
    ("airlines", "unique(carrier)"): lambda t: repeated(t["airlines"], "carrier"),
}


def beyond_fences(rows, name: str) -> int:
    values = [float(row[name]) for row in rows if row[name] != "NA"]
    first, _, third = quantiles(values, n=4, method="inclusive")
    span = 1.5 * (third - first)
    return sum(not first - span <= value <= third + span for value in values)


@pytest.mark.parametrize("key", COUNTS, ids=" / ".join)
def test_failing_rows_agree_with_an_independent_count(key, checks, tables):
    assert checks[key].failed == COUNTS[key](tables)


def test_row_count_agrees(checks, tables):
    check = checks["flights", "about a thousand flights a day"]

    assert check.checked == len(tables["flights"])


def test_mean_delays_by_month_agree(checks, tables):
    check = checks["flights", "delay in minutes, month by month"]
    delays: dict[int, list[float]] = {}
    for row in tables["flights"]:
        if row["dep_delay"] != "NA":
            delays.setdefault(int(row["month"]), []).append(float(row["dep_delay"]))

    found = {group.group["month"]: group for group in check.groups}

    assert {month: group.checked for month, group in found.items()} == {
        month: len(values) for month, values in delays.items()
    }
    for month, values in delays.items():
        assert found[month].observed == pytest.approx(fmean(values))
        assert found[month].passed == (fmean(values) <= 15)


def test_all_checks_of_the_demo_can_be_evaluated(checks):
    assert [key for key, check in checks.items() if check.error] == []
    assert len(checks) >= 25


def test_demo_writes_its_report_and_imports_no_pandas(tmp_path):
    script = (
        "import runpy, sys; sys.argv[0] = 'demo.py'\n"
        f"try: runpy.run_path({str(DEMO)!r}, run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "assert 'pandas' not in sys.modules\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    report = tmp_path / "truthound-report" / "index.html"
    assert report.as_uri() in done.stdout
    assert "the plane is in planes" in report.read_text(encoding="utf-8")
    assert "the plane is in planes" in done.stdout
