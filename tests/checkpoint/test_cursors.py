"""What a cron trigger missed while nobody was there, as far as a store knows."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from truthound._clock import Clock
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.triggers import CronTrigger, EventTrigger
from truthound.store import Store

FRAME = pl.DataFrame({"a": [1]})
BEGIN = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)


class Shifted(Clock):
    """A clock that begins at some moment and goes on from there."""

    __slots__ = ("_at", "_since")

    def __init__(self, at: datetime) -> None:
        object.__setattr__(self, "_at", at)
        object.__setattr__(self, "_since", Clock().monotonic())

    def now(self) -> datetime:
        return self._at + timedelta(seconds=self.monotonic() - self._since)


def hourly(**options: bool) -> Checkpoint:
    trigger = CronTrigger(expression="0 * * * *", timezone="UTC", **options)
    return Checkpoint("c", data_source=FRAME, validators=["null"], triggers=[trigger])


async def reasons_at(at: datetime, checkpoint: Checkpoint, **options: object) -> list:
    """Return why runs were started within a moment of a runner's start."""
    seen = []
    runner = AsyncCheckpointRunner(
        clock=Shifted(at),
        result_callback=lambda result: seen.append(result.metadata["reason"]),
        **options,
    )
    runner.add_checkpoint(checkpoint)
    async with runner:
        await asyncio.sleep(0.2)
        await runner.wait_for_completion_async(10)
    return seen


@pytest.mark.realtime
async def test_time_missed_while_down_is_made_up_for_by_one_run():
    assert await reasons_at(BEGIN, hourly(catch_up=True), store="s.db") == []

    late = BEGIN + timedelta(hours=3)
    made_up = await reasons_at(late, hourly(catch_up=True), store="s.db")
    again = await reasons_at(late, hourly(catch_up=True), store="s.db")

    assert made_up == ["made up for a time that was missed"]
    assert again == []
    async with Store("s.db") as store:
        (run,) = await asyncio.to_thread(store.runs)
    assert run.slot == "c|0:cron|2026-03-10T12:00:00+00:00"


@pytest.mark.realtime
async def test_trigger_keeps_its_times_when_others_are_put_before_it():
    old, late = Store("s.db"), BEGIN + timedelta(hours=3)
    async with old:  # as it was written down in the past
        await old.set_cursor("c|1:cron", BEGIN.isoformat())
    checkpoint = hourly(catch_up=True)
    checkpoint.triggers.insert(0, EventTrigger())
    made_up = [await reasons_at(late, checkpoint, store="s.db")]
    checkpoint = hourly(catch_up=True)
    later = late + timedelta(hours=3)
    made_up.append(await reasons_at(later, checkpoint, store="s.db"))

    named = hourly(catch_up=True, name="mine")
    made_up.append(await reasons_at(BEGIN, named, store="n.db"))
    named = hourly(catch_up=True, name="mine")
    named.triggers.insert(0, hourly().triggers[0])
    made_up.append(await reasons_at(late, named, store="n.db"))

    reason = "made up for a time that was missed"
    assert made_up == [[reason], [reason], [], [reason]]


@pytest.mark.realtime
async def test_no_time_was_missed_since_the_last_one():
    await reasons_at(BEGIN, hourly(catch_up=True), store="s.db")

    soon = BEGIN + timedelta(minutes=20)
    assert await reasons_at(soon, hourly(catch_up=True), store="s.db") == []


@pytest.mark.realtime
async def test_nothing_is_made_up_for_without_catch_up_or_store():
    late = BEGIN + timedelta(hours=3)
    for options in ({"store": "s.db"}, {"store": False}):
        catches = options["store"] is False
        await reasons_at(BEGIN, hourly(catch_up=catches), **options)
        assert await reasons_at(late, hourly(catch_up=catches), **options) == []


@pytest.mark.realtime
async def test_two_runners_make_up_for_a_time_once():
    await reasons_at(BEGIN, hourly(catch_up=True), store="s.db")

    late = BEGIN + timedelta(hours=3)
    both = await asyncio.gather(
        *(reasons_at(late, hourly(catch_up=True), store="s.db") for _ in range(2))
    )

    assert sorted(map(len, both)) == [0, 1]
