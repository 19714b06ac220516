"""Schedules and cron: windows, holidays, random parts, and times that were missed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import zoneinfo
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import LoopClock, Probe
from processes import until
from truthound._clock import Clock
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.config import load_checkpoints
from truthound.checkpoint.triggers import CronTrigger, ScheduleTrigger
from truthound.checkpoint.triggers._window import Window
from truthound.errors import ConfigurationError
from truthound.store import MemoryStore, Store

FRAME = pl.DataFrame({"a": [1]})
ZONES = sorted(zoneinfo.available_timezones() - {"localtime"})
MINUTE = timedelta(minutes=1)
MOMENTS = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
TIMES = st.none() | st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 30, 59]))


class Shifted(Clock):
    """A clock that begins at some moment, and can be moved on."""

    def __init__(self, at: datetime) -> None:
        object.__setattr__(self, "state", [at, Clock().monotonic(), 0.0])

    def monotonic(self) -> float:
        return Clock().monotonic() + self.state[2]  # type: ignore[attr-defined]

    def now(self) -> datetime:
        at, since, _ = self.state  # type: ignore[attr-defined]
        return at + timedelta(seconds=self.monotonic() - since)

    def shift(self, seconds: float) -> None:
        self.state[2] += seconds  # type: ignore[attr-defined]


class Still(Clock):
    """A clock that a test sets."""

    def __init__(self, now: datetime) -> None:
        object.__setattr__(self, "state", [now, 100.0])

    def monotonic(self) -> float:
        return self.state[1]  # type: ignore[attr-defined]

    def now(self) -> datetime:
        return self.state[0]  # type: ignore[attr-defined]

    def pass_by(self, seconds: float) -> None:
        self.state[0] += timedelta(seconds=seconds)  # type: ignore[attr-defined]
        self.state[1] += seconds  # type: ignore[attr-defined]


def with_clock(trigger: Any, clock: Clock) -> Any:
    trigger.clock = clock
    trigger.start()
    return trigger


# ------------------------------------------------------------------------ windows


def is_open(window: Window, moment: datetime) -> bool:
    """Say the same as a window, as simply as it can be said."""
    local = moment.astimezone(window.zone)
    if window.weekdays is not None and local.weekday() not in window.weekdays:
        return False
    if local.date() in window.holidays:
        return False
    begin, end = window.begin or time.min, window.end or time.max
    clock = local.replace(tzinfo=None).time()
    if begin <= end:
        return begin <= clock <= end
    return clock >= begin or clock <= end


@st.composite
def windows(draw: Any) -> tuple[Window, datetime]:
    moment = draw(MOMENTS)
    days = [moment.date() + timedelta(days=n) for n in range(-4, 5)]
    window = Window(
        zoneinfo.ZoneInfo(draw(st.sampled_from(ZONES))),
        draw(TIMES),
        draw(TIMES),
        draw(st.none() | st.sets(st.integers(0, 6), min_size=1)),
        frozenset(draw(st.sets(st.sampled_from(days)))),
    )
    return window, moment


@given(windows())
def test_window_opens_at_the_first_open_moment(case: tuple[Window, datetime]) -> None:
    window, moment = case
    opens = window.opens(moment)
    assert opens is not None
    assert opens >= moment
    assert is_open(window, opens)
    assert (opens == moment) is is_open(window, moment)
    between = moment
    while between < min(opens, moment + timedelta(days=3)):
        assert not is_open(window, between)
        between += 17 * MINUTE
    if opens > moment:
        assert not is_open(window, opens - timedelta(microseconds=2))


@given(windows())
def test_window_was_open_at_the_last_open_moment(case: tuple[Window, datetime]) -> None:
    window, moment = case
    closed = window.closed(moment)
    assert closed is not None
    assert closed <= moment
    assert (closed == moment) is is_open(window, moment)
    between = moment
    while between > max(closed + MINUTE, moment - timedelta(days=3)):
        assert not is_open(window, between)
        between -= 17 * MINUTE


def test_window_that_never_opens() -> None:
    window = Window(UTC, end=datetime(2026, 1, 1, tzinfo=UTC))
    assert window.opens(datetime(2026, 1, 2, tzinfo=UTC)) is None
    early = Window(UTC, begin=datetime(2026, 1, 1, tzinfo=UTC))
    assert early.closed(datetime(2025, 1, 1, tzinfo=UTC)) is None
    always = frozenset(date(2026, 1, 1) + timedelta(days=n) for n in range(1_100))
    assert Window(UTC, holidays=always).opens(datetime(2026, 1, 1, tzinfo=UTC)) is None


# --------------------------------------------------------------------------- cron

EXPRESSIONS = st.sampled_from(
    ["*/7 * * * *", "0 * * * *", "30 2 * * *", "5,50 */5 * * 1-5", "0 0 * * *"]
)


@given(EXPRESSIONS, windows())
def test_cron_in_a_window_is_cron_without_what_lies_outside(
    expression: str, case: tuple[Window, datetime]
) -> None:
    window, moment = case
    zone = str(window.zone)
    bare = CronTrigger(expression=expression, timezone=zone)
    trigger = CronTrigger(
        expression=expression,
        timezone=zone,
        start_time=window.begin,
        end_time=window.end,
        holidays=list(window.holidays),
    )
    window = trigger.config.window()
    naive = moment
    for _ in range(300):
        following = bare.after(naive)
        assert following is not None
        naive = following
        if is_open(window, naive):
            assert trigger.after(moment) == naive
            return
    found = trigger.after(moment)
    assert found is None or (found >= naive and is_open(window, found))


@given(EXPRESSIONS, windows(), st.integers(1, 2_000))
def test_missed_time_of_cron_is_the_last_one_that_counts(
    expression: str, case: tuple[Window, datetime], minutes: int
) -> None:
    window, now = case
    trigger = with_clock(
        CronTrigger(
            expression=expression,
            timezone=str(window.zone),
            start_time=window.begin,
            end_time=window.end,
            holidays=list(window.holidays),
        ),
        Still(now),
    )
    since = now - minutes * MINUTE
    last, following = None, trigger.after(since)
    while following is not None and following <= now - timedelta(seconds=1):
        last, following = following, trigger.after(following)
    missed = trigger.missed_since(since)
    # Where clocks go back, a time by the clock stands for two moments.
    if missed is None or last is None:
        assert missed is None
        assert last is None
    else:
        assert abs(datetime.fromisoformat(missed) - last) <= timedelta(hours=2)


def test_cron_has_a_begin_and_an_end() -> None:
    trigger = CronTrigger(
        expression="0 9 * * *",
        start_time="2026-03-02T00:00",
        end_time="2026-03-05T09:00",
        holidays=["2026-03-03", date(2026, 3, 4)],
        timezone="Europe/Helsinki",
    )
    moment: Any = datetime(2026, 1, 1, tzinfo=UTC)
    found = []
    while (moment := trigger.after(moment)) is not None:
        found.append(moment.isoformat())
    assert found == ["2026-03-02T07:00:00+00:00", "2026-03-05T07:00:00+00:00"]


# ------------------------------------------------------------------------- options


def test_holidays_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "days.txt"
    path.write_text("\ufeff2026-12-24\n\n# quiet\n2026-12-25  # Christmas\n", "utf-8")
    for given_path in (path, str(path)):
        trigger = ScheduleTrigger(interval_hours=1, holidays=given_path)
        assert trigger.config.holidays == [date(2026, 12, 24), date(2026, 12, 25)]


@pytest.mark.parametrize("kind", [CronTrigger, ScheduleTrigger])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"holidays": ["24.12.2026"]}, "holidays: a day is like 2026-12-24, not '24."),
        ({"holidays": [datetime(2026, 1, 1)]}, "holidays: a day is like"),
        ({"holidays": 3}, "holidays is a list of dates like 2026-12-24"),
        ({"holidays": "missing.txt"}, "missing.txt cannot be read"),
        ({"jitter_seconds": -1}, "jitter_seconds"),
        ({"jitter_seconds": "1"}, "jitter_seconds"),
        ({"start_time": "noon"}, "start_time is a moment like"),
        (
            {"start_time": "2026-02-01T00:00", "end_time": "2026-01-01T00:00"},
            "end_time is before start_time",
        ),
        ({"timezone": "Europe/Helsinky"}, "Europe/Helsinki"),
        ({"misfire_grace_seconds": -1}, "misfire_grace_seconds"),
    ],
)
def test_wrong_options_are_refused(kind: Any, options: Any, words: str) -> None:
    own: Any = {"expression": "0 9 * * *"}
    if kind is ScheduleTrigger:
        own = {"interval_hours": 1}
    with pytest.raises(ConfigurationError, match=words):
        kind(**own, **options)


def test_wrong_day_of_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "days.txt").write_text("2026-12-24\nChristmas\n")
    with pytest.raises(ConfigurationError, match=r"days.txt:2: a day is like"):
        CronTrigger(expression="@daily", holidays=tmp_path / "days.txt")


def test_random_part_is_less_than_the_interval() -> None:
    with pytest.raises(ConfigurationError, match="less than the interval, which is 60"):
        ScheduleTrigger(interval_minutes=1, jitter_seconds=60)


def test_options_of_a_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "days.txt").write_text("2026-12-24\n")
    (tmp_path / "sub" / "truthound.yaml").write_text(
        "checkpoints:\n"
        "  rides:\n"
        "    data_source: rides.csv\n"
        "    triggers:\n"
        "      - {type: schedule, interval_hours: 1, holidays: days.txt}\n"
        "      - type: cron\n"
        "        expression: '@daily'\n"
        "        holidays: [2026-12-24, '2026-12-25']\n"
        "        start_time: 2026-03-01T06:00\n"
        "        end_time: 2026-12-31T00:00\n"
        "        jitter_seconds: 30\n"
    )
    (checkpoint,) = load_checkpoints(tmp_path / "sub" / "truthound.yaml")
    schedule, cron = checkpoint.triggers
    assert schedule.config.holidays == [date(2026, 12, 24)]
    assert cron.config.holidays == [date(2026, 12, 24), date(2026, 12, 25)]
    assert cron.config.start_time == datetime(2026, 3, 1, 6, tzinfo=UTC)
    assert cron.config.end_time == datetime(2026, 12, 31, tzinfo=UTC)
    plain = checkpoint.to_dict()["triggers"]
    assert plain[0]["holidays"] == ["2026-12-24"]


# ---------------------------------------------------------------------- random part


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4))
def test_random_part_makes_a_time_later_and_leaves_its_name(parts: list[float]) -> None:
    kinds: Any = ((ScheduleTrigger, "interval_minutes", 10),)
    kinds += ((CronTrigger, "expression", "*/10 * * * *"),)
    for kind, option, value in kinds:
        plain = kind(**{option: value})
        trigger = kind(**{option: value}, jitter_seconds=300)
        trigger.chance = iter([*parts, 0.0]).__next__
        clock = Still(datetime(2026, 3, 2, 12, tzinfo=UTC))
        with_clock(trigger, clock)
        with_clock(plain, clock)
        for part in parts:
            nominal, due = plain.due_at(clock.monotonic()), None
            for _ in range(3):  # it is drawn once
                due = trigger.due_at(clock.monotonic())
            assert nominal is not None
            assert due == pytest.approx(nominal + part * 300, abs=0.1)
            assert trigger.slot() == plain.slot()
            clock.pass_by(max(0.0, due - clock.monotonic()) + 0.001)
            plain.advance(clock.monotonic())
            trigger.advance(clock.monotonic())


@pytest.mark.virtual_clock
async def test_runner_waits_for_the_random_part() -> None:
    trigger = ScheduleTrigger(interval_seconds=60, jitter_seconds=30, max_runs=3)
    trigger.chance = iter([0.5, 0.0, 0.9, 0.0]).__next__
    begun: list[float] = []
    loop = asyncio.get_running_loop()

    class Noting(Probe):
        async def run_async(self, context: Any = None) -> Any:
            begun.append(round(loop.time() - began))
            return await super().run_async(context)

    runner = AsyncCheckpointRunner(clock=LoopClock(), result_queue_size=None)
    runner.add_checkpoint(Noting("p", triggers=[trigger]))
    began = loop.time()
    async with runner:
        await asyncio.sleep(400)
    assert begun == [15, 60, 147]


# ------------------------------------------------------------------- missed times


def checkpoint(trigger: Any, source: Any = FRAME) -> Checkpoint:
    return Checkpoint("c", data_source=source, validators=["null"], triggers=[trigger])


async def missed_of(store: Any) -> list[Any]:
    return await asyncio.to_thread(lambda: store.runs(states=["missed"]))


@pytest.mark.realtime
async def test_late_time_is_recorded_as_missed_and_survives(tmp_path: Path) -> None:
    clock = Shifted(datetime(2026, 3, 10, 9, 30, tzinfo=UTC))
    store = Store(tmp_path / "s.db")
    runner = AsyncCheckpointRunner(clock=clock, store=store, result_queue_size=None)
    runner.add_checkpoint(checkpoint(ScheduleTrigger(interval_seconds=0.3)))
    async with runner:
        await until(lambda: runner.get_stats()["delivered_results"] >= 1)
        clock.shift(7_200)
        await until(lambda: runner.get_stats()["missed_times"] >= 1)
        await until(lambda: runner.get_stats()["delivered_results"] >= 2)
    async with Store(tmp_path / "s.db") as again:
        (record,) = await missed_of(again)
    assert record.checkpoint == "c"
    assert record.trigger == "schedule"
    assert record.error == "missed: 7200 s late, the grace is 0.15 s"
    assert record.slot.startswith("c|0:schedule|0.3 s ")

    def ask() -> str:
        command = [sys.executable, "-m", "truthound", "history", "--state", "missed"]
        done = subprocess.run(
            [*command, "--store", str(tmp_path / "s.db")],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    listed = await asyncio.to_thread(ask)
    assert "missed" in listed
    assert "7200 s late" in listed


@pytest.mark.realtime
async def test_times_missed_in_a_row_are_one_record() -> None:
    gate = asyncio.Event()

    async def slow() -> pl.DataFrame:
        await gate.wait()
        return FRAME

    async with MemoryStore() as store:
        runner = AsyncCheckpointRunner(store=store, result_queue_size=None)
        runner.add_checkpoint(checkpoint(ScheduleTrigger(interval_seconds=0.05), slow))
        async with runner:
            await until(lambda: runner.get_stats()["missed_times"] >= 4)
            gate.set()
            await until(lambda: runner.get_stats()["delivered_results"] >= 1)
            found = await missed_of(store)
    assert len(found) == 1
    assert found[0].error == "missed: the last run is under way"
    assert found[0].status == "error"


@pytest.mark.realtime
async def test_time_that_another_process_ran_is_not_missed() -> None:
    begin = datetime(2026, 3, 10, 9, 59, 59, 500_000, tzinfo=UTC)
    # Its time comes half a second after that of the first.
    late = Shifted(begin - timedelta(seconds=0.5))
    async with MemoryStore() as store:
        first, second = (
            AsyncCheckpointRunner(store=store, clock=clock, result_queue_size=None)
            for clock in (Shifted(begin), late)
        )
        for runner in (first, second):
            runner.add_checkpoint(checkpoint(CronTrigger(expression="0 * * * *")))
        async with first, second:
            late.shift(3_580)
            await until(lambda: first.get_stats()["delivered_results"] == 1)
            await until(lambda: second.get_stats()["missed_times"] == 1)
            await asyncio.sleep(0.2)
            assert await missed_of(store) == []


async def reasons_at(
    at: datetime, trigger: Any, store: Any, enough: Callable[[list[str]], bool]
) -> list[str]:
    """Return why runs were started at a runner's start."""
    seen: list[str] = []
    runner = AsyncCheckpointRunner(
        clock=Shifted(at),
        store=store,
        result_callback=lambda result: seen.append(result.metadata["reason"]),
    )
    runner.add_checkpoint(checkpoint(trigger))
    async with runner:
        await until(lambda: enough(seen))
        await asyncio.sleep(0.1)
        await runner.wait_for_completion_async(10)
    return seen


def nightly(**options: Any) -> ScheduleTrigger:
    options = {"start_time": "02:00", "end_time": "03:00", **options}
    return ScheduleTrigger(interval_hours=24, catch_up=True, **options)


@pytest.mark.realtime
async def test_schedule_makes_up_for_what_was_missed_while_down(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    night = datetime(2026, 3, 10, 2, 30, tzinfo=UTC)
    assert len(await reasons_at(night, nightly(), store, bool)) == 1

    same_day = night + timedelta(hours=3)
    assert await reasons_at(same_day, nightly(), store, lambda _: True) == []
    later = night + timedelta(hours=27)
    made_up = await reasons_at(later, nightly(), store, bool)
    again = await reasons_at(later, nightly(), store, lambda _: True)
    assert made_up == ["made up for a time that was missed"]
    assert again == []

    in_time = night + timedelta(days=3)  # the run at the start makes up for it
    assert await reasons_at(in_time, nightly(), store, bool) == ["every 86400 s"]


@pytest.mark.realtime
@pytest.mark.parametrize("options", [{"holidays": ["2026-03-11"]}, {"end_time": "end"}])
async def test_nothing_is_made_up_for_on_a_day_that_does_not_count(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    store = tmp_path / "s.db"
    if "end_time" in options:
        options = {"end_time": datetime(2026, 3, 10, 15, tzinfo=UTC)}

    def hourly() -> CronTrigger:
        return CronTrigger(expression="0 * * * *", catch_up=True, **options)

    begin = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
    assert await reasons_at(begin, hourly(), store, lambda _: True) == []
    later = begin + timedelta(days=1)
    assert await reasons_at(later, hourly(), store, lambda _: True) == []
    if "holidays" in options:
        after_it = later + timedelta(days=1)
        assert len(await reasons_at(after_it, hourly(), store, bool)) == 1


@pytest.mark.parametrize("kind", [CronTrigger, ScheduleTrigger])
def test_time_that_is_over_is_told(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    when = {"expression": "@daily"} if kind is CronTrigger else {"interval_hours": 1}
    over = kind(**when, end_time="2001-02-03T04:05:06Z")
    daily = kind(**when, end_time="04:05")

    for trigger in (over, daily):
        assert trigger.validate_config() == []  # the checkpoint can be run
        trigger.start()
        trigger.stop()
    (told,) = caplog.messages
    assert told.endswith(": end_time 2001-02-03T04:05:06+00:00 is over: it never runs")
