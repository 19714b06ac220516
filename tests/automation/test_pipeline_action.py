"""The pipelines of sites as what comes of a checkpoint."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from processes import Family, until
from truthound.automation.action import PipelineAction
from truthound.checkpoint import Checkpoint, load_checkpoints
from truthound.errors import ConfigurationError, UnknownOptionError

pytestmark = pytest.mark.usefixtures("family")
CONFIG = """\
command: [sh, -c, 'echo "$TRUTHOUND_CHECKPOINT|$TRUTHOUND_STATUS" >>{0}/seen; {1}']
log_directory:
retry_count: 1
sites: [a, b]
"""


def configure(folder: Path, script: str = "true") -> str:
    path = folder / "sites.yaml"
    path.write_text(CONFIG.format(folder, script))
    return str(path)


def run(action: PipelineAction, name: str = "rides") -> Any:
    data = pl.DataFrame({"id": [1, 2]})
    checkpoint = Checkpoint(
        name, data_source=data, validators=["null"], actions=[action]
    )
    (found,) = checkpoint.run().action_results
    return found


def test_checkpoint_of_a_file_runs_the_pipelines(
    tmp_path: Path,
) -> None:
    configure(tmp_path)
    (tmp_path / "rides.csv").write_text("id\n1\n")
    (tmp_path / "truthound.yaml").write_text(
        "checkpoints:\n"
        "  - name: rides\n"
        "    data_source: rides.csv\n"
        "    validators: [null]\n"
        "    actions:\n"
        "      - type: site_pipeline\n"
        f"        config_path: {tmp_path}/sites.yaml\n"
        "        notify_on: success\n"
    )
    (checkpoint,) = load_checkpoints(tmp_path / "truthound.yaml")

    result = checkpoint.run()

    (found,) = result.action_results
    assert (found.action_type, str(found.status)) == ("site_pipeline", "success")
    assert found.details["results"] == {"a": True, "b": True}
    assert (tmp_path / "seen").read_text() == "rides|success\n" * 2


def test_failing_site_is_told(tmp_path: Path) -> None:
    script = 'echo why; [ "$TRUTHOUND_SITE" = a ]'
    path = configure(tmp_path, script.replace("'", "''"))

    found = run(PipelineAction(config_path=path, notify_on="always"))

    assert str(found.status) == "failure"
    assert found.details["results"] == {"a": True, "b": False}
    assert found.message.startswith("1 of 2 sites succeeded, 1 failed in ")
    assert found.error == f"{found.message}: b"
    assert found.details["errors"] == {"b": "exit code 1"}


def test_some_sites_can_be_chosen(tmp_path: Path) -> None:
    path = configure(tmp_path)

    found = run(PipelineAction(config_path=path, notify_on="always", sites=["b", "c"]))

    assert found.details["results"] == {"b": True, "c": True}


@pytest.mark.parametrize("name", ["a$b", "${HOME}", "$${HOME}", "$$", "{site}", "'; x"])
def test_name_of_a_checkpoint_arrives_as_it_is(name: str, tmp_path: Path) -> None:
    found = run(
        PipelineAction(
            config_path=configure(tmp_path), notify_on="always", sites=["a"]
        ),
        name,
    )

    assert str(found.status) == "success"
    assert (tmp_path / "seen").read_text() == f"{name}|success\n"


def test_limit_of_the_action_ends_the_sites(tmp_path: Path, family: Family) -> None:
    path = configure(tmp_path, "exec sleep 60")

    found = run(
        PipelineAction(config_path=path, notify_on="always", timeout_seconds=0.5)
    )

    assert str(found.status) == "error"
    assert not family.alive()


async def test_cancelled_checkpoint_ends_the_sites(
    tmp_path: Path, family: Family
) -> None:
    path = configure(tmp_path, "exec sleep 60")
    checkpoint = Checkpoint(
        "rides",
        data_source=pl.DataFrame({"id": [1]}),
        validators=["null"],
        actions=[PipelineAction(config_path=path, notify_on="always")],
    )
    task = asyncio.create_task(checkpoint.run_async())
    await until((tmp_path / "seen").exists)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert not family.left()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "sites.yaml: No such file or directory"),
        ("timeout: x", "timeout: expected a number"),
        ("command: [x]", "it names no sites"),
    ],
)
def test_wrong_configuration_is_found_by_validation_and_is_an_error(
    text: str | None, said: str
) -> None:
    if text is not None:
        Path("sites.yaml").write_text(text)
    action = PipelineAction(config_path="sites.yaml", notify_on="always")

    (problem,) = action.validate_config()
    found = run(action)

    assert said in problem
    assert str(found.status) == "error"
    assert said in found.error


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"sites": "a"}, ConfigurationError),
        ({"sites": []}, ConfigurationError),
        ({"max_concurrent_sites": 0}, ConfigurationError),
        ({"max_concurrent_sites": -1}, ConfigurationError),
        ({"max_concurrent_sites": 1.5}, ConfigurationError),
        ({"max_concurent": 2}, UnknownOptionError),
    ],
)
def test_options_are_checked_when_it_is_made(
    options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        PipelineAction(**options)
