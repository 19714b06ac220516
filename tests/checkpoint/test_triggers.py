"""Triggers by themselves: when they say yes."""

from __future__ import annotations

import asyncio
import os
import time
import zoneinfo
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Probe
from truthound._clock import Clock
from truthound.checkpoint import AsyncCheckpointRunner
from truthound.checkpoint.triggers import (
    CronTrigger,
    EventTrigger,
    FileWatchTrigger,
    ScheduleTrigger,
    UpstreamTrigger,
)

ZONES = sorted(zoneinfo.available_timezones() - {"localtime"})


class HandClock(Clock):
    """A clock that a test sets."""

    def __init__(self, now: datetime = datetime(2026, 3, 2, 12, tzinfo=UTC)) -> None:
        object.__setattr__(self, "state", [now, 100.0])

    def monotonic(self) -> float:
        return self.state[1]  # type: ignore[attr-defined]

    def now(self) -> datetime:
        return self.state[0]  # type: ignore[attr-defined]

    def pass_by(self, seconds: float) -> None:
        self.state[0] += timedelta(seconds=seconds)  # type: ignore[attr-defined]
        self.state[1] += seconds  # type: ignore[attr-defined]

    def set_wall(self, seconds: float) -> None:
        self.state[0] += timedelta(seconds=seconds)  # type: ignore[attr-defined]


def with_clock(trigger: Any, clock: Clock) -> Any:
    trigger.clock = clock
    trigger.start()
    return trigger


def fires(trigger: Any, clock: HandClock, seconds: float, step: float) -> list[float]:
    """Return at which seconds a trigger that is asked at each step says yes."""
    found, begin = [], clock.monotonic()
    while clock.monotonic() - begin <= seconds:
        if trigger.should_trigger().should_run:
            found.append(clock.monotonic() - begin)
            trigger.record_run()
        clock.pass_by(step)
    return found


# ----------------------------------------------------------------- schedule


def test_schedule_without_a_runner() -> None:
    clock = HandClock()
    trigger = with_clock(ScheduleTrigger(interval_seconds=10), clock)
    assert fires(trigger, clock, 35, 1) == [0, 10, 20, 30]
    assert trigger.run_count == 4
    assert trigger.last_run is not None
    answer = trigger.should_trigger()
    assert answer.next_run == clock.now() + timedelta(seconds=4)


def test_schedule_asked_seldom_does_not_drift() -> None:
    clock = HandClock()
    trigger = with_clock(ScheduleTrigger(interval_seconds=10), clock)
    assert fires(trigger, clock, 50, 7) == [0, 14, 21, 35, 42]


def test_intervals_are_added_up() -> None:
    trigger = ScheduleTrigger(
        interval_hours=1, interval_minutes=1.5, interval_seconds=3
    )
    assert trigger.config.interval() == 3693


def test_schedule_is_unmoved_by_the_wall_clock() -> None:
    clock = HandClock()
    trigger = with_clock(ScheduleTrigger(interval_seconds=60), clock)
    trigger.should_trigger()
    trigger.record_run()
    for step in (-7200, 7200, 7200):
        clock.set_wall(step)
        assert not trigger.should_trigger().should_run
    clock.pass_by(60)
    assert trigger.should_trigger().should_run


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"start_time": "2026-03-02T15:00"}, [3, 4, 5]),
        ({"end_time": "2026-03-02T14:00"}, [0, 1, 2]),
        ({"start_time": "14:00", "end_time": "15:30"}, [2, 3, 26, 27, 50, 51]),
        ({"start_time": "23:00", "end_time": "01:00"},
         [11, 12, 13, 35, 36, 37, 59, 60]),
        ({"run_on_weekdays": [2]}, list(range(36, 60))),
        ({"run_on_weekdays": [1], "start_time": "22:00", "timezone": "Asia/Seoul"},
         [25, 26]),
    ],
)  # fmt: skip
def test_schedule_has_a_window(options: Any, expected: list[int]) -> None:
    clock = HandClock()  # a Monday, 12:00
    trigger = with_clock(ScheduleTrigger(interval_hours=1, **options), clock)
    found = fires(trigger, clock, 60 * 3600, 3600)
    hours = [round(second / 3600) for second in found]
    assert hours[: len(expected)] == expected
    if "start_time" not in options or "end_time" in options:
        assert len(hours) == len(expected) or "run_on_weekdays" in options


def test_schedule_waits_until_its_window_opens() -> None:
    clock = HandClock()
    trigger = with_clock(
        ScheduleTrigger(interval_hours=24, start_time="14:00", end_time="15:00"), clock
    )
    hours = [s / 3600 for s in fires(trigger, clock, 60 * 3600, 600)]
    assert hours == [2, 26, 50]


def test_schedule_keeps_its_window_when_clocks_change() -> None:
    """The Sunday of 2026-03-29 has 23 hours in Helsinki."""
    clock = HandClock(datetime(2026, 3, 28, 4, 0, tzinfo=UTC))  # 06:00 there
    options = {
        "start_time": "08:00",
        "end_time": "08:30",
        "timezone": "Europe/Helsinki",
    }
    trigger = with_clock(ScheduleTrigger(interval_minutes=30, **options), clock)
    local = []
    zone = zoneinfo.ZoneInfo("Europe/Helsinki")
    for _ in range(3 * 24 * 12):
        if trigger.should_trigger().should_run:
            local.append(clock.now().astimezone(zone).strftime("%d %H:%M"))
            trigger.record_run()
        clock.pass_by(300)
    assert local[:6] == [
        "28 08:00",
        "28 08:30",
        "29 08:00",
        "29 08:30",
        "30 08:00",
        "30 08:30",
    ]


@given(
    interval=st.floats(0.01, 1e5),
    delays=st.lists(st.floats(0, 1e6), max_size=8),
)
def test_schedule_keeps_its_phase(interval: float, delays: list[float]) -> None:
    clock = HandClock()
    trigger = with_clock(ScheduleTrigger(interval_seconds=interval), clock)
    begin = trigger.due_at(clock.monotonic())
    for delay in delays:
        clock.pass_by(delay)
        trigger.record_run()
        due = trigger.due_at(clock.monotonic())
        assert due > clock.monotonic() - 1e-6
        assert due - clock.monotonic() <= interval * (1 + 1e-6) + 1e-6
        steps = (due - begin) / interval
        assert abs(steps - round(steps)) < 1e-3 * max(1.0, steps * 1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "the interval is missing"),
        ({"interval_seconds": 0}, "interval_seconds"),
        ({"interval_hours": -1}, "interval_hours"),
        ({"interval_seconds": 1, "timezone": "Europe/Helsinky"}, "Europe/Helsinki"),
        ({"interval_seconds": 1, "run_on_weekdays": [7]}, "run_on_weekdays"),
        ({"interval_seconds": 1, "run_on_weekdays": []}, "names no day"),
        ({"interval_seconds": 1, "start_time": "noon"}, "start_time"),
        ({"interval_seconds": 1, "max_concurrent": 0}, "max_concurrent"),
        ({"interval_seconds": 1, "max_runs": -1}, "max_runs"),
        ({"interval_seconds": 1, "misfire_grace_seconds": -1}, "misfire_grace"),
    ],
)
def test_wrong_schedules_are_refused(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ScheduleTrigger(**options)


# --------------------------------------------------------------------- cron


def after(expression: str, zone: str, moment: str) -> list[str]:
    """Return the next three times of an expression, local."""
    trigger = CronTrigger(expression=expression, timezone=zone)
    tz = zoneinfo.ZoneInfo(zone)
    now: datetime | None = datetime.fromisoformat(moment).replace(tzinfo=tz)
    found = []
    for _ in range(3):
        assert now is not None
        now = trigger.after(now.astimezone(UTC))
        if now is None:
            break
        found.append(now.astimezone(tz).isoformat())
    return found


def test_cron_weekday_is_the_right_day() -> None:
    """The original ran `0 9 * * 1` on Tuesdays."""
    found = after("0 9 * * 1", "UTC", "2026-11-21T00:00")
    assert found[0].startswith("2026-11-23T09:00")
    assert [datetime.fromisoformat(t).weekday() for t in found] == [0, 0, 0]


def test_cron_with_both_days_is_either() -> None:
    found = after("0 0 13 * 5", "UTC", "2026-11-01T00:00")
    assert [t[:10] for t in found] == ["2026-11-06", "2026-11-13", "2026-11-20"]


def test_cron_in_spring_and_autumn() -> None:
    helsinki = "Europe/Helsinki"
    # 03:30 does not exist on 2026-03-29 and comes right after the gap.
    assert after("30 3 * * *", helsinki, "2026-03-28T12:00")[:2] == [
        "2026-03-29T04:00:00+03:00",
        "2026-03-30T03:30:00+03:00",
    ]
    # 03:30 comes twice on 2026-10-25, and runs once.
    assert after("30 3 * * *", helsinki, "2026-10-24T12:00")[:2] == [
        "2026-10-25T03:30:00+03:00",
        "2026-10-26T03:30:00+02:00",
    ]
    # Every hour goes on, through the hour that comes twice.
    assert after("0 * * * *", "America/New_York", "2026-11-01T00:30") == [
        "2026-11-01T01:00:00-04:00",
        "2026-11-01T01:00:00-05:00",
        "2026-11-01T02:00:00-05:00",
    ]
    # Half an hour is what the clocks of Lord Howe change by.
    found = after("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00")
    assert found[0] == "2026-10-04T02:30:00+11:00"


FIELDS = st.tuples(
    st.sampled_from(["0", "30", "*/7", "5,50", "*", "10-20"]),
    st.sampled_from(["*", "2", "1-3", "*/5", "0,23"]),
    st.sampled_from(["*", "1", "15", "L", "*/10"]),
    st.sampled_from(["*", "2", "3,10", "*/4"]),
    st.sampled_from(["*", "0", "1-5", "6", "MON#1"]),
).map(" ".join)


@given(
    expression=FIELDS,
    zone=st.sampled_from(ZONES),
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),
)
def test_cron_only_goes_forward(expression: str, zone: str, moment: datetime) -> None:
    """g09: strictly increasing, and no nominal time twice unless it goes each hour."""
    trigger = CronTrigger(expression=expression, timezone=zone)
    now = moment.replace(tzinfo=UTC)
    tz = zoneinfo.ZoneInfo(zone)
    nominal: list[str] = []
    for _ in range(4):
        following = trigger.after(now)
        assert following is not None
        assert following > now
        nominal.append(following.astimezone(tz).strftime("%Y-%m-%d %H:%M"))
        now = following
    minute, hour = expression.split()[:2]
    if not minute.startswith("*") and not hour.startswith("*"):
        assert len(set(nominal)) == len(nominal)


def test_cron_set_back_runs_no_time_twice() -> None:
    clock = HandClock()
    trigger = with_clock(CronTrigger(expression="*/5 * * * *"), clock)
    assert not trigger.should_trigger().should_run
    clock.pass_by(300)
    assert trigger.should_trigger().should_run
    trigger.record_run()
    clock.set_wall(-7200)
    assert fires(trigger, clock, 7200, 60) == []
    assert len(fires(trigger, clock, 600, 60)) == 2


def test_cron_of_a_year_costs_nothing() -> None:
    """4.4 s of CPU in the original."""
    began = time.process_time()
    trigger = CronTrigger(expression="0 0 29 2 *")
    assert trigger.after(datetime(2025, 3, 1, tzinfo=UTC)) == datetime(
        2028, 2, 29, tzinfo=UTC
    )
    assert time.process_time() - began < 1


def test_cron_has_seconds_and_names() -> None:
    assert after("*/20 * * * * *", "UTC", "2026-01-01T00:00")[0][17:19] == "20"
    assert after("@weekly", "UTC", "2026-11-21T00:00")[0][:10] == "2026-11-22"
    assert after("0 0 * * 7", "UTC", "2026-11-21T00:00")[0][:10] == "2026-11-22"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "five or six fields"),
        ("* * * *", "Wrong number of fields"),
        ("61 * * * *", "Bad minute"),
        ("* * 32 * *", "Bad day-of-month"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("@dayly", "did you mean '@daily'"),
        (3, "expression is a text"),
    ],
)
def test_wrong_expressions_are_refused(expression: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CronTrigger(expression=expression)


@given(st.text(max_size=20))
def test_any_text_is_an_expression_or_a_clear_error(text: str) -> None:
    try:
        CronTrigger(expression=text)
    except ValueError as error:
        assert "expression" in str(error)


# ---------------------------------------------------- events and the others


def test_event_without_a_runner() -> None:
    clock = HandClock()
    trigger = with_clock(EventTrigger(debounce_seconds=5), clock)
    assert not trigger.should_trigger().should_run
    assert trigger.fire_event({"a": 1})
    assert not trigger.fire_event({"a": 1}, event_type="other")
    answer = trigger.should_trigger()
    assert answer.should_run
    assert answer.context["event"] == {"a": 1}
    trigger.record_run()
    trigger.fire_event({"a": 2})
    assert not trigger.should_trigger().should_run
    clock.pass_by(5)
    assert trigger.should_trigger().should_run
    trigger.fire_event()
    assert trigger.clear_pending() == 1


def test_many_events_are_counted_and_not_all_kept() -> None:
    trigger = with_clock(EventTrigger(), HandClock())
    for number in range(5_000):
        trigger.fire_event({"n": number})
    context = trigger.should_trigger().context
    assert context["event_count"] == 5_000
    assert len(context["events"]) == 1_000
    assert context["event"] == {"n": 4_999}


def test_done_and_paused_triggers_say_no() -> None:
    trigger = with_clock(EventTrigger(max_runs=1), HandClock())
    trigger.fire_event()
    trigger.pause()
    assert not trigger.should_trigger().should_run
    trigger.resume()
    assert trigger.should_trigger().should_run
    trigger.record_run()
    assert not trigger.fire_event()
    assert trigger.to_dict()["run_count"] == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: UpstreamTrigger(), "checkpoint"),
        (lambda: UpstreamTrigger(checkpoint="a", statuses=["sucess"]), "'success'"),
        (lambda: FileWatchTrigger(), "paths"),
        (lambda: FileWatchTrigger(paths="x", events=["made"]), "events are"),
        (lambda: EventTrigger(debounce_seconds=-1), "debounce_seconds"),
        (lambda: EventTrigger(debonce_seconds=1), "did you mean 'debounce_seconds'"),
    ],
)
def test_wrong_options_are_refused(make: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        make()


# --------------------------------------------------------------- file watch


async def first_results(runner: AsyncCheckpointRunner, seconds: float) -> list[Any]:
    return [r async for r in runner.iter_results_async(timeout=seconds)]


def watching(*paths: Path, **options: Any) -> tuple[AsyncCheckpointRunner, Probe]:
    options.setdefault("settle_seconds", 0.05)
    probe = Probe("p", triggers=[FileWatchTrigger(paths=list(paths), **options)])
    return AsyncCheckpointRunner().add_checkpoint(probe), probe


async def test_file_that_arrives_starts_a_run_within_a_second(tmp_path: Path) -> None:
    runner, _ = watching(tmp_path, patterns=["*.csv"], ignore_patterns=["tmp*"])
    (tmp_path / "old.csv").write_text("a\n1\n")
    os.utime(tmp_path / "old.csv", (1, 1))
    await asyncio.sleep(0.02)
    async with runner:
        await asyncio.sleep(0.3)
        began = time.monotonic()
        (tmp_path / "new.csv").write_text("a\n1\n")
        (tmp_path / "new.txt").write_text("no")
        (tmp_path / "tmp1.csv").write_text("no")
        async for result in runner.iter_results_async(timeout=5):
            assert result.metadata["file"] == str(tmp_path / "new.csv")
            assert result.metadata["files"] == [str(tmp_path / "new.csv")]
            break
        assert time.monotonic() - began < 5
        assert await first_results(runner, 0.4) == []


async def test_file_counts_when_it_is_written_to_the_end(tmp_path: Path) -> None:
    runner, _ = watching(tmp_path, settle_seconds=1.5)
    sizes = []
    async with runner:
        await asyncio.sleep(0.2)
        with (tmp_path / "slow.csv").open("w") as file:
            for _ in range(8):
                file.write("x" * 1000)
                file.flush()
                await asyncio.sleep(0.1)
        async for _ in runner.iter_results_async(timeout=10):
            sizes.append((tmp_path / "slow.csv").stat().st_size)
            break
        assert await first_results(runner, 2.0) == []
    assert sizes == [8000]


async def test_same_content_again_does_not_count(tmp_path: Path) -> None:
    runner, probe = watching(tmp_path)
    async with runner:
        await asyncio.sleep(0.2)
        path = tmp_path / "a.csv"
        path.write_text("one")
        assert len(await runner.get_results_async(timeout=10)) == 1
        path.write_text("one")
        os.utime(path)
        assert await first_results(runner, 1.0) == []
        path.write_text("two")
        assert len(await runner.get_results_async(timeout=10)) == 1
        assert len(probe.watched.begun) == 2


async def test_events_of_files_are_chosen(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("one")
    os.utime(tmp_path / "a.csv", (1, 1))
    await asyncio.sleep(0.02)
    runner, probe = watching(tmp_path, events=["deleted"])
    async with runner:
        await asyncio.sleep(0.2)
        (tmp_path / "b.csv").write_text("two")
        await asyncio.sleep(0.3)
        (tmp_path / "a.csv").unlink()
        (result,) = await first_results(runner, 2.0)
    assert result.metadata["reason"].endswith("a.csv was deleted")
    assert len(probe.watched.begun) == 1


async def test_one_file_can_be_watched_and_a_folder_that_comes_later(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.csv").write_text("one")
    os.utime(tmp_path / "a.csv", (1, 1))
    await asyncio.sleep(0.02)
    later = tmp_path / "later"
    runner, _ = watching(tmp_path / "a.csv", later, poll_interval_seconds=0.1)
    trigger = runner.checkpoints["p"].triggers[0]
    assert trigger.validate_config() == [f"paths: there is no {later}"]
    async with runner:
        await asyncio.sleep(0.2)
        (tmp_path / "other.csv").write_text("x")
        (tmp_path / "a.csv").write_text("two")
        later.mkdir()
        (later / "new.csv").write_text("x")
        results = await first_results(runner, 2.5)
    files = {file for r in results for file in r.metadata["files"]}
    assert files == {str(tmp_path / "a.csv"), str(later / "new.csv")}


async def test_atomic_rename_counts_once(tmp_path: Path) -> None:
    runner, probe = watching(tmp_path, patterns=["*.csv"])
    async with runner:
        await asyncio.sleep(0.2)
        for number in range(3):
            part = tmp_path / f"n{number}.part"
            part.write_text(str(number))
            part.rename(tmp_path / f"n{number}.csv")
        results = await first_results(runner, 2.0)
    files = [file for r in results for file in r.metadata["files"]]
    assert sorted(files) == [str(tmp_path / f"n{n}.csv") for n in range(3)]
    assert probe.watched.most == 1


def test_file_watch_without_a_runner(tmp_path: Path) -> None:
    trigger = FileWatchTrigger(paths=str(tmp_path), patterns="*.csv")
    trigger.start()
    (tmp_path / "old.csv").write_text("x")
    assert not trigger.should_trigger().should_run
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "new.csv").write_text("x")
    answer = trigger.should_trigger()
    assert answer.should_run
    assert answer.context["files"] == [str(tmp_path / "sub" / "new.csv")]
    assert not trigger.should_trigger().should_run
