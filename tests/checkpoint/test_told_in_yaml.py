"""Actions that tell people, as a configuration file has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truthound.checkpoint import Checkpoint
from truthound.checkpoint.config import load_checkpoints
from truthound.errors import ConfigurationFileError

FILE = """\
checkpoints:
  - name: rides
    data_source: rides.csv
    validators: ["null"]
    actions:
      - type: email
        smtp_host: mail.example.com
        smtp_user: checks
        smtp_password: ${SMTP_PASSWORD}
        ca_file: ca.pem
        from_address: Data checks <checks@example.com>
        to_addresses: [Ann <ann@example.com>, ben@example.com]
        subject_template: "[{severity}] {title}"
        alerts: change
      - type: pagerduty
        routing_key: ${PAGERDUTY_ROUTING_KEY}
        links: {Runs: "https://checks.example.com/{checkpoint}"}
      - type: opsgenie
        api_key: ${OPSGENIE_API_KEY}
        region: eu
        responders: [{type: team, name: Data}]
        tags: [warehouse]
      - type: heartbeat
        url: ${HEARTBEAT_URL}
      - type: apprise
        urls:
          - json://localhost
          - ntfys://${NTFY_TOKEN}@ntfy.example.com/data
"""
NAMES = ("SMTP_PASSWORD", "PAGERDUTY_ROUTING_KEY", "OPSGENIE_API_KEY", "HEARTBEAT_URL")


@pytest.fixture
def read() -> Callable[[str], Checkpoint]:
    """Return what reads a file whose text is given."""

    def reading(text: str) -> Checkpoint:
        Path("truthound.yaml").write_text(text, encoding="utf-8")
        Path("rides.csv").write_text("id\n1\n")
        (made,) = load_checkpoints(Path("truthound.yaml"))
        return made

    return reading


def test_all_are_read_and_show_no_secret(
    read: Callable[[str], Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*NAMES, "NTFY_TOKEN"):
        monkeypatch.setenv(name, f"c4n4ry{name}".ljust(32, "x"))
    monkeypatch.setenv("HEARTBEAT_URL", "https://hc.example.com/c4n4ry-uuid")
    made = read(FILE.replace("        ca_file: ca.pem\n", ""))

    kinds = [action.action_type for action in made.actions]
    assert kinds == ["email", "pagerduty", "opsgenie", "heartbeat", "apprise"]
    assert made.validate() == []
    shown = str(made.to_dict()) + "".join(repr(a.config) for a in made.actions)
    assert "c4n4ry" not in shown
    assert "ann@example.com" in shown


def test_variables_that_are_not_set_are_found_at_their_places(
    read: Callable[[str], Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*NAMES, "NTFY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    made = read(FILE.replace("        ca_file: ca.pem\n", ""))

    lines = {name: 1 + FILE[: FILE.index(name)].count("\n") for name in NAMES}
    expected = [f"truthound.yaml:{line - (line > 10)}" for line in lines.values()] + [
        "truthound.yaml:27"
    ]
    problems = [problem.split(": ") for problem in made.validate()]
    assert [place.rpartition(":")[0] for _, _, place, _ in problems] == expected
    assert all(said.endswith("is not set") for *_, said in problems)


def test_file_of_certificates_is_beside_the_configuration() -> None:
    folder = Path("conf")
    folder.mkdir()
    (folder / "truthound.yaml").write_text(FILE, encoding="utf-8")

    (made,) = load_checkpoints(folder / "truthound.yaml")

    mail: Any = made.actions[0]
    assert Path(mail.config.ca_file) == folder / "ca.pem"


def test_faults_are_found_at_their_places(read: Callable[[str], Checkpoint]) -> None:
    text = FILE.replace("region: eu", "region: uk").replace("smtp_host", "smtp_hots")

    with pytest.raises(ConfigurationFileError) as caught:
        read(text.replace("routing_key:", "routingkey:"))

    assert caught.value.problems == [
        "truthound.yaml:7:9: email has no option 'smtp_hots', did you mean "
        "'smtp_host'?",
        "truthound.yaml:16:9: pagerduty has no option 'routingkey', did you mean "
        "'routing_key'?",
        "truthound.yaml:20:17: opsgenie: region is us, eu, jira, not 'uk'",
    ]
