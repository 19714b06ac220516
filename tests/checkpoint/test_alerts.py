"""Notifications with a policy: told once for each incident, together, in time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import ROWS, WHOLE
from truthound._clock import Clock
from truthound.checkpoint import (
    AsyncCheckpointRunner,
    Checkpoint,
    CheckpointResult,
    alerts,
)
from truthound.checkpoint._alert_policy import AlertPolicy
from truthound.checkpoint._incident import (
    Decision,
    Seen,
    Standing,
    after,
    claimed,
    decide,
    observed,
    sent,
)
from truthound.checkpoint._quiet import quiet_of, quiet_until
from truthound.checkpoint.actions._notifying import Notification, NotificationConfig
from truthound.checkpoint.async_base import ActionResult
from truthound.checkpoint.messages.message import Message, MessageKind, grouped
from truthound.checkpoint.outbox import deliver_due
from truthound.errors import ActionError, ConfigurationError
from truthound.store import MemoryStore, NoticeState, Store

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


class SetClock(Clock):
    """A clock that is set by hand."""

    def __init__(self) -> None:
        object.__setattr__(self, "at", MONDAY)

    def now(self) -> datetime:
        return self.at  # type: ignore[attr-defined,no-any-return]

    def passes(self, passed: timedelta) -> None:
        object.__setattr__(self, "at", self.now() + passed)


class Told(Notification[NotificationConfig]):
    """Keeps what it is to tell."""

    action_type = "told"

    def __init__(self, clock: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.messages: list[Message] = []
        self.faults: list[Exception] = []
        if clock is not None:
            self.clock = clock

    async def _notify(
        self, message: Message, checkpoint_result: CheckpointResult
    ) -> ActionResult:
        if self.faults:
            raise self.faults.pop()
        self.messages.append(message)
        return self.result("success", "sent", thread=f"t{len(self.messages)}")

    @property
    def told(self) -> list[str]:
        return [f"{m.kind} {m.checkpoint} {m.status}" for m in self.messages]


class Scene:
    """A checkpoint with one notification, a store, and a clock that is set."""

    def __init__(self, *names: str, store: Any = "a.db", **policy: Any) -> None:
        self.clock = SetClock()
        self.begun: dict[str, datetime] = {}
        self.store = Store(store, clock=self.clock) if store else False
        self.action = Told(self.clock, alerts=policy or "change")
        self.checkpoints = {
            name: Checkpoint(
                name,
                data_source=WHOLE,
                validators=["null"],
                actions=[self.action],
                tags={"team": "pricing", "of": name},
                store=self.store,
                clock=self.clock,
            )
            for name in names or ("rides",)
        }

    async def run(self, status: str, name: str = "rides") -> Any:
        checkpoint = self.checkpoints[name]
        if self.begun.get(name) == self.clock.now():
            self.clock.passes(timedelta(seconds=1))
        self.begun[name] = self.clock.now()
        checkpoint.config.data_source = WHOLE if status == "success" else ROWS
        # A third of the rows: high, which is a warning unless it is to fail.
        checkpoint.config.fail_on_high = status == "failure"
        result = await checkpoint.run_async()
        assert result.status == status
        return result.action_results[0]

    async def passes(self, **time: float) -> list[str]:
        """Let time pass, send what is due by then, and return what was told."""
        self.clock.passes(timedelta(**time))
        before = len(self.action.messages)
        await deliver_due(self.store, list(self.checkpoints.values()), clock=self.clock)
        return self.action.told[before:]


# ---------------------------------------------------------------------- once and again


@pytest.mark.parametrize("store", ["a.db", None], ids=["store", "memory"])
async def test_change_is_told_once_and_so_is_its_end(store: Any) -> None:
    scene = Scene(store=store)
    for status in ("success", "warning", "warning", "failure", "failure", "success"):
        scene.clock.passes(timedelta(minutes=1))
        await scene.run(status)
    await scene.run("success")
    await scene.run("warning")
    assert scene.action.told == [
        "alarm rides warning",
        "alarm rides failure",
        "resolved rides success",
        "alarm rides warning",
    ]
    first, second, resolved, again = scene.action.messages
    assert (
        first.since == second.since == resolved.since == MONDAY + timedelta(minutes=2)
    )
    assert (first.runs, second.runs, resolved.runs, again.runs) == (1, 3, 4, 1)
    assert (first.thread, second.thread, resolved.thread) == (None, "t1", "t1")
    assert again.thread is None
    assert "Since" in resolved.facts()


async def test_restart_does_not_repeat_an_alarm() -> None:
    scene = Scene()
    await scene.run("warning")
    later = Scene()  # another process: nothing but the file is the same
    later.clock.passes(timedelta(minutes=1))
    found = await later.run("warning")
    assert (found.status, later.action.told) == ("skipped", [])
    await later.run("success")
    assert later.action.told == ["resolved rides success"]
    assert later.action.messages[0].thread == "t1"


async def test_every_run_is_told_and_so_is_the_end() -> None:
    scene = Scene(when="every")
    for status in ("warning", "warning", "success", "success"):
        scene.clock.passes(timedelta(minutes=1))
        await scene.run(status)
    assert scene.action.told == [
        "run rides warning",
        "run rides warning",
        "resolved rides success",
    ]


async def test_end_need_not_be_told() -> None:
    scene = Scene(resolve=False)
    for status in ("warning", "success", "warning"):
        scene.clock.passes(timedelta(minutes=1))
        await scene.run(status)
    assert scene.action.told == ["alarm rides warning"] * 2


async def test_what_is_still_so_is_told_again_unless_acknowledged() -> None:
    scene = Scene(remind_seconds=3600)
    for minutes in (0, 30, 31, 30, 61):
        scene.clock.passes(timedelta(minutes=minutes))
        await scene.run("warning")
    assert scene.action.told == ["alarm rides warning"] + ["reminder rides warning"] * 2
    await asyncio.to_thread(alerts.acknowledge, scene.store, "rides", by="Ann")
    scene.clock.passes(timedelta(hours=9))
    found = await scene.run("warning")
    assert found.message == "Ann has acknowledged it"
    # What is worse than before is told all the same.
    await scene.run("failure")
    assert scene.action.told[3:] == ["alarm rides failure"]


async def test_what_did_not_arrive_is_told_by_the_outbox() -> None:
    scene = Scene()
    scene.action.faults = [ActionError("busy")]
    found = await scene.run("warning")
    assert found.status == "error"
    (alert,) = await asyncio.to_thread(alerts.alerts_of, scene.store)
    assert (dict(alert.told), dict(alert.waiting)) == ({}, {})
    assert await scene.passes(seconds=5) == ["alarm rides warning"]
    assert (await scene.run("warning")).status == "skipped"


async def test_what_did_not_arrive_in_time_is_not_told_any_more() -> None:
    scene = Scene()
    scene.action.faults = [ActionError("busy")]
    await scene.run("warning")
    scene.clock.passes(timedelta(milliseconds=1))
    await scene.run("success")
    assert await scene.passes(minutes=5) == []


# ------------------------------------------------------------------------ limits of it


async def test_throttled_change_is_told_later_if_it_is_still_so() -> None:
    scene = Scene(throttle_seconds=600)
    await scene.run("warning")
    scene.clock.passes(timedelta(minutes=1))
    found = await scene.run("success")
    assert found.status == "skipped"
    assert found.details["held_until"] == "2026-03-02T12:10:00+00:00"
    assert await scene.passes(minutes=8) == []
    assert await scene.passes(minutes=2) == ["resolved rides success"]


async def test_throttled_runs_are_counted() -> None:
    scene = Scene(when="every", throttle_seconds=600)
    for minutes in (0, 4, 4, 4):
        scene.clock.passes(timedelta(minutes=minutes))
        await scene.run("warning")
    assert [m.held for m in scene.action.messages] == [0, 2]
    assert scene.action.messages[1].facts()["Not told meanwhile"] == "2 runs"


async def test_quiet_hours_end_with_one_message_if_it_is_still_so() -> None:
    scene = Scene("rides", "fares", quiet_hours="11:00-14:00")
    found = await scene.run("warning")
    assert found.details["held_until"] == "2026-03-02T14:00:00+00:00"
    scene.clock.passes(timedelta(minutes=30))
    await scene.run("warning")
    await scene.run("warning", "fares")
    scene.clock.passes(timedelta(minutes=30))
    await scene.run("success", "fares")
    assert await scene.passes(minutes=30) == []
    assert await scene.passes(minutes=31) == ["alarm rides warning"]
    assert scene.action.messages[0].runs == 2
    assert await scene.passes(hours=5) == []


def test_quiet_hours_are_those_of_a_time_zone() -> None:
    policy = AlertPolicy(quiet_hours="10:00-14:00", timezone="Europe/Helsinki")
    assert policy.quiet_until(MONDAY, "high") is None  # 14:00 there
    before = MONDAY - timedelta(seconds=1)
    assert policy.quiet_until(before, "high") == MONDAY


async def test_what_is_bad_enough_breaks_the_quiet() -> None:
    scene = Scene(quiet_hours="mon,tue", quiet_except=["high"])
    await scene.run("warning")
    assert scene.action.told == ["alarm rides warning"]


async def test_muted_is_not_told_and_counted_and_told_after_that() -> None:
    scene = Scene("rides", "fares")
    until = scene.clock.now() + timedelta(hours=1)
    for what in ("ri*", "tag:of=fares"):
        await asyncio.to_thread(alerts.mute, scene.store, what, until, by="Ann")
    for name in ("rides", "fares"):
        found = await scene.run("warning", name)
        assert found.status == "skipped"
        assert found.message.startswith("Ann has muted ")
    assert await asyncio.to_thread(alerts.unmute, scene.store, "ri*")
    scene.clock.passes(timedelta(minutes=1))
    await scene.run("warning")
    await scene.run("warning", "fares")
    assert scene.action.told == ["alarm rides warning"]
    scene.clock.passes(until - scene.clock.now())
    await scene.run("warning", "fares")
    assert scene.action.told[1:] == ["alarm fares warning"]


async def test_escalation_waits_for_an_acknowledgement() -> None:
    scene = Scene("rides", "fares", "trips", after_seconds=1800)
    for name in scene.checkpoints:
        found = await scene.run("warning", name)
        assert found.details["held_until"] == "2026-03-02T12:30:00+00:00"
    scene.clock.passes(timedelta(minutes=10))
    await scene.run("warning")
    await scene.run("success", "fares")
    await asyncio.to_thread(alerts.acknowledge, scene.store, "trips", by="Ann")
    assert await scene.passes(minutes=19) == []
    assert await scene.passes(minutes=2) == ["alarm rides warning"]
    scene.clock.passes(timedelta(minutes=1))
    await scene.run("warning")
    await scene.run("success")
    assert scene.action.told == ["alarm rides warning", "resolved rides success"]


async def test_group_is_told_together() -> None:
    scene = Scene("rides", "fares", "trips", group_by="team", group_seconds=60)
    for name in ("rides", "fares", "trips"):
        found = await scene.run("warning", name)
        assert found.details["held_until"] == "2026-03-02T12:01:00+00:00"
    await scene.run("success", "trips")
    assert await scene.passes(seconds=58) == []
    await scene.passes(seconds=5)
    await scene.passes(seconds=5)
    (message,) = scene.action.messages
    names = {message.checkpoint, *(m.checkpoint for m in message.others)}
    assert names == {"rides", "fares"}
    assert message.title == "2 checkpoints, 2 not well"
    states = {n.state for n in await asyncio.to_thread(scene.store.notices)}
    assert states <= {NoticeState.DELIVERED, NoticeState.DROPPED}
    # The next ones are another group, and what was told is known of each.
    scene.clock.passes(timedelta(minutes=5))
    assert (await scene.run("warning")).status == "skipped"
    await scene.run("success")
    await scene.run("success", "fares")
    await scene.passes(seconds=61)
    await scene.passes(seconds=5)
    assert [len(m.others) for m in scene.action.messages] == [1, 1]


async def test_group_that_could_not_be_told_is_told_later() -> None:
    scene = Scene("rides", "fares", group_by="all", group_seconds=60)
    await scene.run("warning")
    await scene.run("warning", "fares")
    scene.action.faults = [ActionError("busy")]
    assert await scene.passes(seconds=61) == []
    for _ in range(3):
        await scene.passes(seconds=10)
    (message,) = scene.action.messages
    assert len(message.others) == 1


async def test_runner_sends_what_was_put_off(tmp_path: Path) -> None:
    action = Told(alerts={"group_by": "all", "group_seconds": 0.3})
    runner = AsyncCheckpointRunner(store=tmp_path / "r.db")
    for name in ("a", "b", "c"):
        runner.add_checkpoint(
            Checkpoint(name, data_source=ROWS, validators=["null"], actions=[action])
        )
    async with asyncio.timeout(20), runner:
        await runner.run_all_async()
        while not action.messages:  # noqa: ASYNC110 - it keeps what it is told
            await asyncio.sleep(0.01)
    assert [len(m.others) for m in action.messages] == [2]


@pytest.mark.parametrize("store", ["a.db", None], ids=["store", "memory"])
async def test_runs_that_end_at_once_are_one_alarm(store: Any) -> None:
    scene = Scene(store=store)
    scene.checkpoints["rides"].config.data_source = ROWS
    running = (scene.checkpoints["rides"].run_async() for _ in range(8))
    await asyncio.gather(*running)
    assert scene.action.told == ["alarm rides warning"]


async def test_end_waits_until_it_is_known_whether_the_alarm_has_arrived() -> None:
    scene = Scene()
    arrives = asyncio.Event()
    notify = scene.action._notify

    async def slow(message: Message, result: CheckpointResult) -> ActionResult:
        await arrives.wait()
        return await notify(message, result)

    scene.action._notify = slow  # type: ignore[method-assign]
    alarm = asyncio.create_task(scene.run("warning"))
    while not await asyncio.to_thread(alerts.alerts_of, scene.store):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    found = await scene.run("success")
    assert "held_until" in found.details
    arrives.set()
    await alarm
    assert await scene.passes(seconds=2) == ["resolved rides success"]


async def test_without_a_store_what_did_not_arrive_is_told_by_the_next_run() -> None:
    scene = Scene(store=None)
    scene.action.faults = [ActionError("busy")]
    assert (await scene.run("warning")).status == "error"
    await scene.run("warning")
    assert scene.action.told == ["alarm rides warning"]


# ------------------------------------------------------------------- what comes between


async def test_what_is_bad_again_in_the_morning_is_told() -> None:
    scene = Scene(quiet_hours="12:00-19:00")
    for status in ("failure", "success", "failure"):
        await scene.run(status)
        scene.clock.passes(timedelta(hours=1))
    assert scene.action.told == []
    assert await scene.passes(hours=4, minutes=1) == ["alarm rides failure"]
    assert await scene.passes(hours=9) == []


async def test_what_got_worse_in_the_night_is_told_as_it_is_in_the_morning() -> None:
    scene = Scene(quiet_hours="12:00-19:00")
    for status in ("warning", "failure"):
        await scene.run(status)
        scene.clock.passes(timedelta(hours=1))
    assert await scene.passes(hours=5, minutes=1) == ["alarm rides failure"]


async def test_new_incident_takes_the_place_of_an_end_that_was_put_off() -> None:
    scene = Scene(throttle_seconds=3600)
    for status in ("failure", "success", "failure"):
        await scene.run(status)
        scene.clock.passes(timedelta(minutes=5))
    assert scene.action.told == ["alarm rides failure"]
    assert await scene.passes(hours=1) == ["alarm rides failure"]
    assert scene.action.messages[1].since == MONDAY + timedelta(minutes=10)
    await scene.run("success")
    assert await scene.passes(hours=1) == ["resolved rides success"]


async def test_loud_breaks_in_and_what_was_put_off_is_not_told_after_it() -> None:
    scene = Scene(quiet_hours="12:00-19:00", quiet_except=["error"])
    await scene.run("warning")
    scene.clock.passes(timedelta(hours=1))
    scene.checkpoints["rides"].config.data_source = "gone.csv"
    await scene.checkpoints["rides"].run_async()
    assert scene.action.told == ["alarm rides error"]
    assert await scene.passes(hours=9) == []


async def test_escalation_counts_from_the_incident_that_is() -> None:
    scene = Scene(after_seconds=1800)
    await scene.run("failure")
    scene.clock.passes(timedelta(minutes=10))
    await scene.run("success")
    scene.clock.passes(timedelta(minutes=5))
    await scene.run("failure")
    assert await scene.passes(minutes=29) == []
    assert await scene.passes(minutes=2) == ["alarm rides failure"]


async def test_older_run_is_not_told_after_a_newer_one() -> None:
    scene = Scene()
    scene.action.faults = [ActionError("busy")]
    await scene.run("warning")
    await scene.run("failure")
    assert await scene.passes(minutes=2) == []
    await scene.run("failure")
    assert scene.action.told == ["alarm rides failure"]


async def test_run_after_a_final_refusal_is_told() -> None:
    scene = Scene()
    scene.action.faults = [ActionError("no such address", is_final=True)]
    await scene.run("failure")
    scene.clock.passes(timedelta(seconds=30))
    await scene.run("failure")
    assert scene.action.told == ["alarm rides failure"]


async def test_throttle_does_not_leave_out_the_end() -> None:
    scene = Scene(when="every", throttle_seconds=3600)
    await scene.run("failure")
    scene.clock.passes(timedelta(minutes=10))
    await scene.run("success")
    assert await scene.passes(hours=1) == ["resolved rides success"]


async def test_acknowledged_is_told_again_only_if_it_gets_worse() -> None:
    scene = Scene(when="every")
    await scene.run("warning")
    await asyncio.to_thread(alerts.acknowledge, scene.store, "rides", by="Ann")
    for status in ("warning", "failure", "warning", "success"):
        await scene.run(status)
    assert scene.action.told == [
        "run rides warning",
        "run rides failure",
        "resolved rides success",
    ]


async def test_groups_of_other_channels_are_apart() -> None:
    scene = Scene("rides", "fares", group_by="all", group_seconds=60)
    other = Told(
        scene.clock,
        alerts={"group_by": "all", "group_seconds": 60},
        custom_message="for others",
    )
    scene.checkpoints["fares"].actions[0] = other
    await scene.run("warning")
    await scene.run("warning", "fares")
    await scene.passes(seconds=61)
    await scene.passes(seconds=5)
    assert scene.action.told == ["alarm rides warning"]
    assert other.told == ["alarm fares warning"]


async def test_group_goes_on_when_one_was_told_by_itself_or_is_gone() -> None:
    scene = Scene("rides", "fares", "trips", group_by="all", group_seconds=60)
    await scene.run("warning")
    await asyncio.to_thread(scene.store.retry_notices)  # as 'outbox retry' does
    checkpoints = list(scene.checkpoints.values())
    await deliver_due(scene.store, checkpoints, clock=scene.clock, is_hurried=True)
    assert scene.action.told == ["alarm rides warning"]
    scene.clock.passes(timedelta(minutes=2))
    await scene.run("warning", "fares")
    await scene.run("warning", "trips")
    before = len(scene.action.messages)
    await scene.passes(seconds=61)
    await scene.passes(seconds=5)
    (together,) = scene.action.messages[before:]
    assert len(together.others) == 1


async def test_group_is_told_however_late_somebody_looks() -> None:
    scene = Scene("rides", "fares", "trips", group_by="all", group_seconds=60)
    for name in ("rides", "fares"):
        await scene.run("warning", name)
    await scene.passes(days=1)
    (together,) = scene.action.messages
    assert len(together.others) == 1
    # One whose run is not there any more stands in nobody's way.
    await scene.run("warning", "trips")
    await scene.run("success", "rides")
    await asyncio.to_thread(
        scene.store._do, lambda c: c.exec_driver_sql("DELETE FROM results")
    )
    await scene.passes(days=1)
    await scene.run("warning")
    await scene.passes(days=1)
    assert scene.action.told[-1] == "alarm rides warning"


def test_group_shows_what_is_new_first_and_stays_out_of_old_threads() -> None:
    def told(name: str, kind: MessageKind, status: str, thread: str | None) -> Message:
        return Message(
            kind=kind,
            checkpoint=name,
            status=status,
            run_id=name,
            at=MONDAY,
            thread=thread,
        )

    over = told("a", MessageKind.RESOLVED, "success", "t1")
    still = told("b", MessageKind.REMINDER, "failure", "t2")
    new = told("c", MessageKind.ALARM, "failure", None)
    found = grouped([over, still, new])
    names = [found.checkpoint, *(one.checkpoint for one in found.others)]
    assert (names, found.thread) == (["c", "b", "a"], None)
    assert grouped([over, over]).thread == "t1"


def test_quiet_hours_end_once_where_clocks_go_back() -> None:
    policy = AlertPolicy(quiet_hours="22:00-02:30", timezone="Europe/Berlin")
    first = datetime(2026, 10, 25, 0, 10, tzinfo=UTC)  # 02:10 for the first time
    second = first + timedelta(hours=1)
    assert policy.quiet_until(first, "high") == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )
    assert policy.quiet_until(second, "high") == datetime(
        2026, 10, 25, 1, 30, tzinfo=UTC
    )


# --------------------------------------------------------------------- without a store


@pytest.mark.parametrize(
    "policy", [{"quiet_hours": "sat"}, {"group_by": "all"}, {"after_seconds": 1}]
)
async def test_what_puts_off_needs_a_store(policy: Any) -> None:
    scene = Scene(store=None, **policy)
    found = await scene.run("warning")
    assert found.status == "error"
    assert "need a store" in found.error


async def test_without_a_policy_a_message_says_since_when_it_is_so() -> None:
    clock = SetClock()
    action = Told(clock)
    made = Checkpoint(
        "rides",
        data_source=ROWS,
        validators=["null"],
        actions=[action],
        store=Store("a.db", clock=clock),
        clock=clock,
    )
    for _ in range(2):
        await made.run_async()
        clock.passes(timedelta(minutes=1))
    assert [m.runs for m in action.messages] == [1, 2]
    assert action.messages[1].since == MONDAY
    assert action.messages[1].kind is MessageKind.RUN
    assert "(2 runs)" in action.messages[1].facts()["Since"]


# ----------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("changes", "alerts: when is change, every, not 'changes', did you mean"),
        ({"wen": "change"}, "did you mean 'when'"),
        ({"quiet_hours": "22-7"}, "quiet_hours: expected something like '22:00-07:00'"),
        ({"quiet_hours": "25:00-07:00"}, "quiet_hours: expected"),
        ({"quiet_hours": "some 22:00-07:00"}, "quiet_hours: expected"),
        ({"quiet_hours": "monster"}, "quiet_hours: expected"),
        ({"quiet_hours": "mon-sun"}, "nothing is left of the week"),
        ({"quiet_except": "bad"}, "quiet_except is critical, high"),
        ({"timezone": "Helsinki"}, "there is no zone 'Helsinki'"),
        ({"throttle_seconds": -1}, "throttle_seconds is a number, 0 or more"),
        ({"resolve": "yes"}, "resolve is True or False"),
        ({"group_by": [1]}, "group_by is a text, or a list of texts"),
        (7, "alerts is change or every, or a mapping"),
    ],
    ids=str,
)
def test_policy_that_makes_no_sense_is_refused(given: Any, said: str) -> None:
    with pytest.raises((ConfigurationError, TypeError), match="alerts") as error:
        Told(alerts=given)
    assert said in str(error.value)


# ------------------------------------------------------------------------- quiet hours


@pytest.mark.parametrize(
    ("given", "now", "until"),
    [  # in UTC
        ("22:00-07:00", "2026-03-02T21:59", None),
        ("22:00-07:00", "2026-03-02T22:00", "2026-03-03T07:00"),
        ("22:00-07:00", "2026-03-03T06:59", "2026-03-03T07:00"),
        ("sat,sun", "2026-03-07T00:00", "2026-03-09T00:00"),
        (["sat,sun", "22:00-07:00"], "2026-03-06T23:00", "2026-03-09T07:00"),
        ("fri-mon 18:00-08:00", "2026-03-03T07:00", "2026-03-03T08:00"),
        ("fri-mon 18:00-08:00", "2026-03-03T18:00", None),
        ("00:00-24:00", None, None),
    ],
    ids=str,
)
def test_quiet_until(given: Any, now: str | None, until: str | None) -> None:
    if now is None:
        with pytest.raises(ConfigurationError):
            quiet_of("quiet_hours", given)
        return
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = quiet_until(moment, quiet_of("quiet_hours", given), UTC)
    assert found == (until and datetime.fromisoformat(until).replace(tzinfo=UTC))


# ---------------------------------------------------------------------------- the laws

policies = st.builds(
    AlertPolicy,
    when=st.sampled_from(["change", "every"]),
    resolve=st.booleans(),
    remind_seconds=st.sampled_from([0, 90]),
    throttle_seconds=st.sampled_from([0, 100]),
    quiet_hours=st.sampled_from([(), "12:00-12:03"]),
    after_seconds=st.sampled_from([0, 130]),
)
steps = st.lists(
    st.tuples(
        st.integers(1, 120), st.sampled_from(["success", "warning", "failure", "look"])
    ),
    max_size=25,
)


@given(policies, steps, st.randoms(use_true_random=False))
def test_an_incident_is_told_once_and_ends_once(
    policy: AlertPolicy, plan: Any, chance: Any
) -> None:
    """Whatever comes when, and is refused on the way: in the end it is known.

    No end without a beginning, no beginning twice, and what is bad at last is told.
    """
    desk = Desk(policy, chance)
    for number, (seconds, what) in enumerate(plan):
        desk.passes(seconds)
        if what != "look":
            desk.ends(str(number), what)
    for _ in range(40):
        desk.passes(60)
    assert not desk.held
    begun, last = False, ("", None)
    for kind, status, since in desk.told:
        if kind == "resolved":
            assert begun
            assert policy.resolve
        elif kind == "alarm":
            assert not (begun and last == (status, since) and policy.resolve)
        assert policy.when == "every" or kind != "run"
        begun = kind != "resolved" and (begun or status != "success")
        last = (status, since)
    standing = desk.standing
    known = standing.told.get("a")
    if standing.since is not None and policy.when == "change":
        assert known is not None
        assert (known.since, known.status) == (standing.since, standing.status)
    if standing.since is None and policy.resolve:
        assert not begun
    # And the last message was about how it is now.
    if desk.told and policy.resolve and policy.when == "change":
        assert desk.told[-1][1] == standing.status


class Desk:
    """Decides about runs as a notification does, some of whose messages are refused."""

    def __init__(self, policy: AlertPolicy, chance: Any) -> None:
        self.policy = policy
        self.chance = chance
        self.now = MONDAY
        self.standing = Standing()
        self.held: dict[str, tuple[datetime, Seen]] = {}
        self.told: list[tuple[str, str, datetime | None]] = []

    def passes(self, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        while True:
            due = sorted((u, run.run_id) for u, run in self.held.values() if u <= end)
            if not due:
                break
            self.now = max(self.now, due[0][0])
            self.decide(self.held.pop(due[0][1])[1])
        self.now = end

    def ends(self, run_id: str, status: str) -> None:
        self.decide(
            Seen(
                run_id=run_id,
                at=self.now,
                status=status,
                severity="high",
                is_wanted=status != "success",
            )
        )

    def decide(self, run: Seen) -> None:
        self.standing = observed(self.standing, run)
        found = decide(self.policy, self.standing, "a", run, self.now)
        if found.kind is None:
            self.standing = after(self.standing, "a", run, found)
            if found.until is not None:
                assert found.until > self.now
                self.held[run.run_id] = found.until, run
        elif self.chance.random() < 0.3:
            self.standing = claimed(self.standing, "a", run, self.now)
            self.standing = after(self.standing, "a", run, Decision(why="refused"))
            wait = timedelta(seconds=self.chance.randint(1, 90))
            self.held[run.run_id] = self.now + wait, run
        else:
            self.told.append((str(found.kind), run.status, found.since))
            self.standing = claimed(self.standing, "a", run, self.now)
            self.standing = sent(self.standing, "a", run, found, self.now, None)
        assert Standing.of(self.standing.plain()) == self.standing


async def test_a_store_in_memory_keeps_it_too() -> None:
    async with MemoryStore() as store:
        action = Told(alerts="change")
        made = Checkpoint(
            "rides",
            data_source=ROWS,
            validators=["null"],
            actions=[action],
            store=store,
        )
        for _ in range(3):
            await made.run_async()
    assert action.told == ["alarm rides warning"]
