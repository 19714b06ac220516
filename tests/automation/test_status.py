from __future__ import annotations

import math

import pytest

from truthound.automation._status import (
    REASONS,
    SiteStatus,
    judge,
    path_of,
    read_status,
    write_status,
)
from truthound.checkpoint import Checkpoint
from truthound.errors import StoreError


def result_of(data, *validators, **options):
    return Checkpoint("s", data_source=data, validators=[*validators], **options).run()


LOW = {"range": {"column": "a", "max": 98}}
BAD = {"range": {"column": "a", "max": 1}}
ROWS = {"a": [*range(100)]}


@pytest.mark.parametrize(
    ("validators", "options", "expected"),
    [
        ([], {}, ("healthy", True, 0)),
        ([LOW], {}, ("degraded", True, 1)),
        ([LOW], {"min_severity": "high"}, ("healthy", True, 0)),
        ([BAD], {}, ("failed", True, 1)),
        ([BAD], {"fail_on_critical": False}, ("degraded", True, 1)),
        ([{"max": {"column": "b", "max": 1}}], {}, ("failed", False, 3)),
    ],
    ids=["success", "warning", "below", "failure", "not failing", "error"],
)
def test_status_of_a_run(validators, options, expected):
    status = judge("s", result_of(ROWS, *validators, **options))

    assert (status.status, status.completed, status.exit_code) == expected


def test_drift_makes_healthy_degraded_and_nothing_better():
    found = [
        judge("s", result_of(ROWS, *checks), ["gone"]).status
        for checks in ([], [LOW], [BAD])
    ]

    assert found == ["degraded", "degraded", "failed"]


def test_run_that_could_not_be_completed():
    status = judge("s", result_of("nowhere.csv"))

    assert (status.status, status.completed, status.exit_code) == ("failed", False, 3)
    assert status.reasons == ["could not be completed: there is no file nowhere.csv"]
    assert (status.row_count, status.statistics) == (None, {})


def test_reasons_are_errors_then_the_worst_then_drift():
    missing = {"max": {"column": "b", "max": 1}}

    status = judge("s", result_of(ROWS, LOW, missing, BAD), ["a is gone"])

    first, second, third, last = status.reasons
    assert first.startswith("max(b) was not evaluated: there is no column 'b'")
    assert second.startswith("range(a) (critical): ")
    assert second.endswith("(98 of 100 rows, 98.00 %)")
    assert third.startswith("range(a) (low): ")
    assert last == "a is gone"


def test_reasons_are_limited():
    checks = [{"max": {"column": "a", "max": n}} for n in range(REASONS + 5)]

    status = judge("s", result_of(ROWS, *checks))

    assert len(status.reasons) == REASONS + 1
    assert status.reasons[-1] == "and 5 more"


def test_reasons_hide_what_they_are_told_to():
    status = judge("s", result_of("s3cr3t.csv"), hidden=lambda t: t.replace("3", "*"))

    assert "s*cr*t" in status.reasons[0]


def test_status_file_round_trip(tmp_path):
    found = judge("nörd", result_of(ROWS, BAD))

    path = write_status(tmp_path, found)

    assert path == path_of(tmp_path, "nörd")
    assert read_status(path) == found


def test_what_json_cannot_hold_is_text_or_null(tmp_path):
    statistics = {"share": math.nan, "of": {1}, "by": b"x"}
    path = write_status(
        tmp_path,
        SiteStatus(
            site="s",
            status="failed",
            completed=False,
            exit_code=3,
            run_time="",
            reasons=["a \ud800 b"],
            duration_ms=1.0,
            statistics=statistics,
        ),
    )

    assert read_status(path).statistics == {"share": None, "of": [1], "by": "b'x'"}
    assert read_status(path).reasons == ["a ? b"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe"])
def test_damaged_status_is_named(tmp_path, content):
    path = tmp_path / "s.json"
    path.write_bytes(content)

    with pytest.raises(StoreError, match=r"s\.json is damaged"):
        read_status(path)


def test_missing_status(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_status(tmp_path / "s.json")
