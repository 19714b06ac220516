"""Who is not told: what is muted, what is disabled, and what has another's name."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from probes import ROWS
from truthound.checkpoint import Checkpoint, CheckpointResult, load_checkpoints
from truthound.checkpoint._trial import try_action
from truthound.checkpoint.actions import CustomAction, PagerDutyAction
from truthound.checkpoint.actions._notifying import Notification, NotificationConfig
from truthound.checkpoint.alerts import alerts_of, forget, mute, unmute
from truthound.checkpoint.messages.message import Message
from truthound.checkpoint.model import ActionResult
from truthound.checkpoint.outbox import deliver_due
from truthound.errors import (
    ConfigurationError,
    ConfigurationFileError,
    UnknownNameError,
)
from truthound.store import NoticeState, Store


class Told(Notification[NotificationConfig]):
    """Keeps what it is to tell."""

    action_type = "told"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.messages: list[Message] = []

    async def _notify(
        self, message: Message, checkpoint_result: CheckpointResult
    ) -> ActionResult:
        self.messages.append(message)
        return self.result("success", "sent")


def bad(name: str, *actions: Any, store: Any = "a.db") -> Checkpoint:
    return Checkpoint(
        name,
        data_source=ROWS,
        validators=["null"],
        actions=actions,
        tags={"team": "pricing"},
        store=store,
    )


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# ------------------------------------------------------------------ what is muted


def until_tomorrow(what: str) -> None:
    with Store("a.db") as store:
        tomorrow = store.clock.now() + timedelta(days=1)
        mute(store, what, tomorrow, by="Ann")


@pytest.mark.parametrize("what", ["rides", "ri*", "tag:team=pricing"])
def test_what_is_muted_is_not_told_without_a_policy(what: str) -> None:
    action = Told()
    until_tomorrow(what)
    result = bad("rides", action).run()
    (told,) = result.action_results
    assert (told.status, action.messages) == ("skipped", [])
    assert told.message.startswith(f"Ann has muted {what} until ")
    with Store("a.db") as store:
        assert [str(one.state) for one in store.notices()] == ["dropped"]
        unmute(store, what)
    assert bad("rides", action).run().action_results[0].success
    assert len(action.messages) == 1


def test_others_are_told() -> None:
    action = Told()
    until_tomorrow("fares")
    bad("rides", action).run()
    assert len(action.messages) == 1


def test_what_somebody_asks_for_is_sent_although_it_is_muted() -> None:
    action = Told()
    until_tomorrow("rides")
    checkpoint = bad("rides", action)
    checkpoint.run()
    with Store("a.db") as store:
        (notice,) = store.notices()
        store.retry_notices([(notice.run_id, 0)], [NoticeState.DROPPED])
        tried = asyncio.run(deliver_due(store, [checkpoint], is_hurried=True))
    assert [error for _, error in tried] == [None]
    assert len(action.messages) == 1


def test_name_with_brackets_can_be_muted() -> None:
    action = Told()
    until_tomorrow("rides [eu]")
    bad("rides [eu]", action).run()
    assert action.messages == []


# -------------------------------------------------------------- tests are always sent


@pytest.mark.parametrize("notify_on", ["failure", "success", "error", "always"])
async def test_test_is_sent_whatever_notify_on_says(notify_on: str) -> None:
    seen: list[Any] = []
    for action in (
        Told(notify_on=notify_on),
        CustomAction(callback=seen.append, notify_on=notify_on),
    ):
        found, _ = await try_action(action, "rides")
        assert found.success, found.message
    assert len(seen) == 1


async def test_disabled_is_not_tested() -> None:
    action = Told(enabled=False)
    found, _ = await try_action(action, "rides")
    assert (found.status, found.message) == ("skipped", "it is disabled")
    assert action.messages == []


# ---------------------------------------------------------------------- told apart


def test_two_with_a_policy_and_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError) as refused:
        bad("rides", Told(), Told(alerts="change"), Told(alerts="every"))
    said = str(refused.value)
    assert "actions[1] (told) and actions[2] (told) are both called 'told'" in said
    assert "'name:'" in said


def test_two_of_which_one_has_no_policy_are_not_mixed_up() -> None:
    bad("rides", Told(alerts="change"), Told(), Told(name="x", alerts="change"))


def test_who_is_on_call_has_a_policy_by_itself() -> None:
    one = PagerDutyAction(routing_key="a" * 32)
    with pytest.raises(ConfigurationError, match="are both called 'pagerduty'"):
        bad("rides", one, PagerDutyAction(routing_key="b" * 32))


def test_two_of_one_name_in_a_file_are_refused_at_their_checkpoint() -> None:
    Path("truthound.yaml").write_text(
        "checkpoints:\n"
        "  - name: rides\n"
        "    data_source: rides.csv\n"
        "    actions:\n"
        "      - {type: slack, webhook_url: 'https://a.example/x', alerts: change}\n"
        "      - {type: slack, webhook_url: 'https://b.example/x', alerts: change}\n"
    )
    with pytest.raises(ConfigurationFileError) as refused:
        load_checkpoints()
    (said,) = refused.value.problems
    assert "truthound.yaml:2:" in said
    assert "both called" in said


# ------------------------------------------------------------------------- forgotten


def test_alert_of_a_checkpoint_that_is_gone_is_forgotten() -> None:
    bad("rides", Told(alerts="change")).run()
    with Store("a.db") as store:
        assert [alert.checkpoint for alert in alerts_of(store)] == ["rides"]
        with pytest.raises(UnknownNameError, match="did you mean 'rides'"):
            forget(store, "ridse")
        forget(store, "rides")
        assert alerts_of(store) == []
        with pytest.raises(UnknownNameError):
            forget(store, "rides")
