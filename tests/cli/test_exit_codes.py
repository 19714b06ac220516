"""Exit codes, and that no failure ever ends as a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.shell import call
from truthound import cli
from truthound.checkpoint import CheckpointResult, CheckpointStatus
from truthound.cli._boundary import Exit
from truthound.cli._results import code_of
from truthound.cli._root import cli as root


@pytest.fixture
def rides(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rides.csv").write_text(
        "id,kind,fare\n" + "".join(f"{n},a,{n % 40}\n" for n in range(1, 200))
    )
    with Path("rides.csv").open("a") as file:
        file.write("200,,950\n")
    Path("truthound.yaml").write_text(
        """
checkpoints:
  - name: good
    data_source: rides.csv
    tags: {team: a}
    validators: [unique: {column: id}]
  - name: bad
    data_source: rides.csv
    tags: {team: b}
    validators: [null, range: {column: fare, max: 500}]
  - name: broken
    data_source: missing.csv
"""
    )
    return tmp_path


def test_check_that_passes_exits_0(rides, capfd):
    code = cli.call(["check", "rides.csv", "-V", "unique:id", "-q"])

    assert code == Exit.PASSED
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check", "rides.csv", "-V", "null", "-q"], 1),
        (["check", "rides.csv", "-V", "null", "-q", "--fail-on", "low"], 1),
        (["check", "rides.csv", "-V", "null", "-q", "--fail-on", "medium"], 0),
        (["check", "rides.csv", "-V", "mean:fare:..1", "-q", "--fail-on=critical"], 1),
        (["check", "rides.csv", "-V", "null", "-q", "--fail-on", "never"], 0),
        (["check", "rides.csv", "-V", "null", "-q", "--min-severity", "high"], 0),
        (["check", "rides.csv", "-V", "nul", "-q"], 2),
        (["check", "rides.csv", "-V", "range:fare:0..1;mostly=7", "-q"], 2),
        (["check", "rides.csv", "-c", "truthound.yaml"], 2),
        (["check", "rides.csv", "--select", "good"], 2),
        (["check", "rides.csv", "--sample-size", "0"], 2),
        (["check", "rides.csv", "--delimiter", "ab"], 2),
        (["check", "rides.csv", "-v", "-q"], 2),
        (["check", "rides.csv", "-o", "no/such/folder.json"], 2),
        (["check", "rides.csv", "--failed-rows", "bad.txt"], 2),
        (["check", "rides.csv", "--failed-rows", "rides.csv"], 2),
        (["check", "rides.csv", "--schema-override", "id"], 2),
        (["check", "--validators", "null"], 2),
        (["check", "--failed-rows", "bad.csv"], 2),
        (["check", "--no-such-option"], 2),
        (["check", "missing.csv", "-q"], 3),
        (["check", "missing.csv", "-q", "--fail-on", "never"], 3),
        (["check", "rides.csv", "-V", "null:nope", "-q"], 3),
        (["check", "rides.csv", "-V", "regex:fare:a", "-q"], 3),
        (["check", "--select", "good", "-q"], 0),
        (["check", "--select", "tag:team=b", "-q"], 1),
        (["check", "--select", "broken", "-q"], 3),
        (["check", "-q"], 3),
        (["check", "--select", "tag:team=c"], 5),
        (["check", "--select", "god", "-q"], 2),
        (["checkpoint", "run", "good", "-q"], 0),
        (["checkpoint", "run", "b*", "-q"], 3),
        (["checkpoint", "list"], 0),
        (["checkpoint", "list", "tag:no"], 5),
        (["checkpoint", "validate"], 0),
        (["validate"], 0),
        (["validate", "missing.yaml"], 2),
        (["baseline", "show"], 5),
        (["baseline", "reset"], 2),
        (["baseline", "accept", "broken"], 3),
        (["baseline", "accept", "nobody"], 2),
        (["schema", "missing.csv"], 3),
        (["chek"], 2),
        ([], 2),
        (["--help"], 0),
        (["--version"], 0),
        (["check", "-h"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_exit_code(rides, arguments, code, capfd):
    assert cli.call(arguments) == code
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    if code == Exit.USAGE:
        assert err.strip()


def result(status: CheckpointStatus, *severities: str) -> CheckpointResult:
    from datetime import UTC, datetime

    from truthound.validators import CheckResult, Severity, ValidationRun

    moment = datetime(2026, 1, 1, tzinfo=UTC)
    checks = [
        CheckResult(
            name="x",
            validator="null",
            columns=("x",),
            status="failed",
            severity=Severity.parse(severity),
        )
        for severity in severities
    ]
    run = ValidationRun(
        run_id="r",
        run_time=moment,
        source="x",
        row_count=1,
        column_count=1,
        checks=checks,
    )
    return CheckpointResult("r", "x", moment, status, run)


def test_what_could_not_be_completed_comes_before_what_failed():
    results = [
        result(CheckpointStatus.WARNING, "low", "high"),
        result(CheckpointStatus.SUCCESS),
    ]
    broken = result(CheckpointStatus.ERROR)
    broken.validation_run = None

    assert code_of(results, "any") == 1
    assert code_of(results, "critical") == 0
    assert code_of([*results, broken], "any") == 3
    assert code_of([*results, broken], "never") == 3
    assert code_of(results[1:], "any") == 0


def test_unexpected_exception_is_one_line(rides, monkeypatch, capfd):
    def fail(*_: object) -> None:
        raise RuntimeError("first line\nsecond")

    monkeypatch.setattr("truthound.checkpoint.load_checkpoints", fail)

    code = cli.call(["validate"])

    assert code == Exit.INCOMPLETE
    assert capfd.readouterr().err == (
        "truthound: unexpected RuntimeError: first line second (-v shows where)\n"
    )


def test_unexpected_exception_shows_where_if_asked(rides, monkeypatch, capfd):
    def fail(*_: object) -> None:
        raise RuntimeError("this")

    monkeypatch.setattr("truthound.cli.check.chosen", fail)

    code = cli.call(["check", "-v"])

    assert code == Exit.INCOMPLETE
    assert "in fail" in capfd.readouterr().err


def test_all_faults_of_the_configuration_are_said(rides, capfd):
    Path("truthound.yaml").write_text("checkpoints: [{nam: a}, {dat: b}]\n")

    code = cli.call(["check"])

    said = capfd.readouterr().err.splitlines()
    assert code == Exit.USAGE
    assert all(line.startswith("truthound.yaml:1:") for line in said)
    assert len(said) >= 4


def test_unset_variables_of_what_is_not_selected_do_not_matter(rides, capfd):
    Path("truthound.yaml").write_text(
        "checkpoints:\n"
        "  good: {data_source: rides.csv, validators: [unique: {column: id}]}\n"
        "  other: {data_source: '${TRUTHOUND_NO_SUCH}', validators: [null]}\n"
    )

    assert cli.call(["check", "-s", "good", "-q"]) == Exit.PASSED
    assert cli.call(["check", "-q"]) == Exit.USAGE
    assert "truthound.yaml:3:24: the environment variable" in capfd.readouterr().err


def test_commands_work_through_click_alone(rides):
    outcome = CliRunner().invoke(root, ["checkpoint", "list", "-f", "json"])

    assert outcome.exit_code == 0
    assert [c["name"] for c in json.loads(outcome.stdout)] == ["good", "bad", "broken"]


def test_process_leaves_with_the_code(rides):
    done = call("check", "rides.csv", "-V", "null", "-q")

    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
