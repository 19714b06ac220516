"""The GitHub action, in a step as the runner of GitHub sets it up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

import truthound.checkpoint.actions.github as home
from probes import ROWS, checkpoint
from truthound.checkpoint import Checkpoint
from truthound.checkpoint.actions import GitHubAction
from truthound.errors import ConfigurationError

RESULT = checkpoint("rides", ROWS).run()
COMMAND = re.compile(r"::(?P<level>error|warning|notice) (?P<properties>[^:\n]*)::(.*)")


class Step:
    """What a step leaves behind, read as the runner reads it."""

    def __init__(self, folder: Path) -> None:
        self.summary, self.output = folder / "summary", folder / "output"

    @property
    def outputs(self) -> dict[str, str]:
        lines = self.output.read_text().splitlines()
        found = {}
        while lines:
            name, _, end = lines.pop(0).partition("<<")
            assert end, name
            value = []
            while (line := lines.pop(0)) != end:
                value.append(line)
            found[name] = "\n".join(value)
        return found


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Step]:
    found = Step(tmp_path)
    for path in (found.summary, found.output):
        path.touch()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(found.summary))
    monkeypatch.setenv("GITHUB_OUTPUT", str(found.output))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    yield found
    home._printed.pop(str(found.summary), None)


def commands(printed: str) -> list[tuple[str, dict[str, str], str]]:
    """Return the annotations in an output, as the runner takes them apart."""
    found = []
    for line in printed.splitlines():
        if line.startswith("::"):
            match = COMMAND.fullmatch(line)
            assert match, line
            pairs = (p.split("=", 1) for p in match["properties"].split(","))
            properties = {name: unquote(value) for name, value in pairs}
            found.append((match["level"], properties, unquote(match[3])))
    return found


def with_issues(count: int, **changes: Any) -> Any:
    (issue,) = RESULT.validation_run.issues
    checks = [
        replace(issue, **{"name": f"null(c{n})", **changes}) for n in range(count)
    ]
    run = replace(RESULT.validation_run, checks=checks)
    return replace(RESULT, validation_run=run)


def test_step_is_told(step: Step, capsys: Any) -> None:
    told = GitHubAction().execute(RESULT)

    assert (told.status, told.details["annotations"]) == ("success", 1)
    assert step.outputs == {
        "status": "warning",
        "success": "false",
        "run_id": RESULT.run_id,
    }
    text = step.summary.read_text()
    assert text.startswith("## rides: warning\n")
    assert "null\\(fare\\)" in text
    ((level, properties, message),) = commands(capsys.readouterr().out)
    assert level == "error"
    assert properties == {"title": "rides: null(fare) (high)"}
    assert message == "expected no missing values (1 of 3 rows, 33.33 %)"


@pytest.mark.parametrize(("most", "rows"), [(0, 0), (1, 1), (5, 2)])
def test_example_rows_are_shown_if_that_is_wanted(
    step: Step, most: int, rows: int
) -> None:
    examples = [{"row": 1, "fare": "canary"}, {"row": 2, "fare": "canary"}]
    GitHubAction(include_examples=most).execute(with_issues(1, examples=examples))

    assert step.summary.read_text().count("canary") == rows


def test_data_in_the_repository_is_named(step: Step, capsys: Any) -> None:
    file = step.summary.parent / "data, new" / "a:b.csv"
    file.parent.mkdir()
    file.write_text("id\n1\n\n", encoding="utf-8")
    result = Checkpoint("x", data_source=str(file), validators=["blank", "null"]).run()
    away = replace(RESULT, data_asset="/etc/passwd")

    GitHubAction().execute(replace(RESULT, data_asset=str(file)))
    GitHubAction().execute(away)
    GitHubAction().execute(replace(RESULT, data_asset="s3://b/c.csv"))

    found = [properties for _, properties, _ in commands(capsys.readouterr().out)]
    assert result.data_asset == str(file)
    assert found[0]["file"] == "data, new/a:b.csv"
    assert "file" not in found[1]
    assert "file" not in found[2]


def test_nothing_from_the_data_acts(step: Step, capsys: Any) -> None:
    hostile = "x\n::set-output name=a::b\r\n::error::c %0A, : \x1b[31m"
    result = with_issues(1, name=hostile, message=hostile)
    GitHubAction().execute(
        replace(result, checkpoint_name=hostile, run_id="r\nend\nstatus<<x\nsuccess\nx")
    )

    printed = capsys.readouterr().out
    assert len(commands(printed)) == 1
    assert "\x1b" not in printed
    assert step.outputs["status"] == "warning"
    assert step.outputs["run_id"].startswith("r\nend\n")
    assert "\n::" not in step.summary.read_text()


def test_annotations_of_a_step_have_an_end(step: Step, capsys: Any) -> None:
    first = GitHubAction(max_annotations=10).execute(with_issues(8))
    second = GitHubAction(max_annotations=10).execute(with_issues(8))

    printed = capsys.readouterr().out
    assert first.details["annotations"] == 8
    assert second.details["annotations"] == 2
    assert len(commands(printed)) == 10
    assert "6 more findings of 'rides' not shown" in printed


def test_annotations_of_the_next_step_begin_anew(
    step: Step, capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    GitHubAction().execute(with_issues(10))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "next"))
    GitHubAction().execute(with_issues(10))
    home._printed.pop(str(tmp_path / "next"))

    assert len(commands(capsys.readouterr().out)) == 20


def test_they_may_go_to_stderr(step: Step, capsys: Any) -> None:
    GitHubAction(stream="stderr").execute(RESULT)

    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(commands(captured.err)) == 1


def test_run_without_a_result_is_an_error(step: Step, capsys: Any) -> None:
    broken = replace(RESULT, validation_run=None, status="error", error="no file")
    GitHubAction().execute(broken)

    ((level, _, message),) = commands(capsys.readouterr().out)
    assert (level, message) == ("error", "no file")
    assert step.outputs["status"] == "error"


def test_summary_has_at_most_a_mebibyte(step: Step) -> None:
    step.summary.write_text("x" * (2**20 - 600) + "\n")
    long = with_issues(40)
    GitHubAction(annotations=False).execute(long)
    full = GitHubAction(annotations=False).execute(long)

    text = step.summary.read_bytes()
    assert 2**20 - 600 < len(text) <= 2**20
    assert text.decode().endswith("a summary has at most 1 MiB._\n")
    assert full.details["summary_bytes"] == 0


async def test_several_at_once_do_not_mix(step: Step) -> None:
    results = [
        replace(with_issues(30), checkpoint_name=f"c{n}", run_id=f"run {n}")
        for n in range(20)
    ]
    await asyncio.gather(
        *[GitHubAction(annotations=False).execute_async(one) for one in results]
    )

    parts = step.summary.read_text().split("## ")[1:]
    assert sorted(p.split(":")[0] for p in parts) == sorted(f"c{n}" for n in range(20))
    assert len({len(p.splitlines()) for p in parts}) == 1
    assert set(step.outputs) == {"status", "success", "run_id"}


def test_parts_can_be_left_out(step: Step, capsys: Any) -> None:
    GitHubAction(summary=False, annotations=False, output_prefix="a-1_").execute(RESULT)

    assert step.summary.read_text() == capsys.readouterr().out == ""
    assert set(step.outputs) == {"a-1_status", "a-1_success", "a-1_run_id"}


def test_elsewhere_it_is_skipped(
    step: Step, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS")
    told = GitHubAction().execute(RESULT)

    assert (told.status, told.message) == (
        "skipped",
        "it does not run in GitHub Actions",
    )
    assert step.summary.read_text() == capsys.readouterr().out == ""


def test_file_that_cannot_be_written_is_an_error(
    step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/no/such/folder/summary")
    missing = GitHubAction().execute(RESULT)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    unset = GitHubAction().execute(RESULT)

    assert missing.error == "GITHUB_STEP_SUMMARY: No such file or directory"
    assert unset.error == "GITHUB_STEP_SUMMARY is not set"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stream": "stdot"}, "did you mean 'stdout'"),
        ({"max_annotations": 0}, "max_annotations"),
        ({"output_prefix": "a=b"}, "output_prefix is made of"),
    ],
)
def test_wrong_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        GitHubAction(**options)
