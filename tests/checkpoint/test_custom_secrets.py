"""What a command prints: without secrets, and shown when it is a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from probes import ROWS, checkpoint
from truthound.checkpoint import load_checkpoints
from truthound.checkpoint._trial import try_action
from truthound.checkpoint.actions import CustomAction, custom
from truthound.errors import ConfigurationError
from truthound.secrets import Secret

RESULT = checkpoint("rides", ROWS).run()
CANARY = "c4n4ry-t0ken"
FILE = """\
checkpoints:
  - name: rides
    data_source: rides.csv
    validators: [null]
    actions:
      - type: custom
        shell_command: %s
        environment: {TOKEN: "${TOKEN_OF_TEST}", PLAIN: loud}
"""


def from_a_file(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, value: str = CANARY
) -> Any:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TOKEN_OF_TEST", value)
    Path("truthound.yaml").write_text(FILE % command)
    Path("rides.csv").write_text("id\n1\n")
    ((made,),) = ([c.actions for c in load_checkpoints()],)
    return made[0]


def test_value_of_a_variable_is_not_in_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = "'echo \"$PLAIN $TOKEN ${#TOKEN}\"; exit 3'".replace("${#", "$${#")
    action = from_a_file(command, tmp_path, monkeypatch)
    told = action.execute(RESULT)
    assert told.details["output"] == f"loud *** {len(CANARY)}\n"
    assert CANARY not in repr(told.to_dict()) + repr(action.config)


def test_variable_in_the_command_is_not_in_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = '["/bin/echo", "a ${TOKEN_OF_TEST}", "b"]'
    action = from_a_file(command, tmp_path, monkeypatch)
    assert action.execute(RESULT).details["output"] == "a *** b\n"
    assert CANARY not in repr(action.config)


def test_end_that_is_kept_begins_with_no_half_of_a_secret() -> None:
    # What is kept begins in the middle of the secret.
    number = custom.KEPT - 6
    action = CustomAction(
        shell_command=f'printf %s "$TOKEN"; printf %{number}s x',
        environment={"TOKEN": Secret(CANARY)},
    )
    output = action.execute(RESULT).details["output"]
    assert CANARY[-4:] not in output
    assert len(output) <= custom.KEPT


def test_variable_that_is_not_set_is_told_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = from_a_file("'true'", tmp_path, monkeypatch)
    monkeypatch.delenv("TOKEN_OF_TEST")
    (said,) = action.validate_config()
    assert "truthound.yaml:8:" in said
    assert "TOKEN_OF_TEST is not set" in said


def test_environment_is_a_mapping() -> None:
    wrong: Any = ["A=1"]
    with pytest.raises(ConfigurationError, match="environment is a mapping of texts"):
        CustomAction(shell_command="true", environment=wrong)


async def test_test_of_a_command_is_known_to_it_and_shown() -> None:
    command = ["/bin/sh", "-c", 'echo "$TRUTHOUND_TEST $TOKEN"']
    action = CustomAction(shell_command=command, environment={"TOKEN": Secret(CANARY)})
    told, (sent,) = await try_action(action, "rides")
    assert told.success
    assert (sent.way, sent.body) == ("COMMAND", "1 ***\n")
    assert sent.address == "/bin/sh -c 'echo \"$TRUTHOUND_TEST $TOKEN\"'"
    real = await action.execute_async(RESULT)
    assert real.details["output"] == " ***\n"
