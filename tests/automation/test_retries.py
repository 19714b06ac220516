"""When a site is tried again, after how long, and who runs in the meantime."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes import sites
from truthound._clock import Clock
from truthound.automation import AsyncPipelineExecutor, PipelineConfig, PipelineExecutor
from truthound.automation._attempts import SiteRun, policy_of
from truthound.automation._child import Ended
from truthound.automation._spawner import Spawner

pytestmark = pytest.mark.usefixtures("family")


class Stopped(Clock):
    """A clock on which pauses take no time, and are written down."""

    def __init__(self) -> None:
        object.__setattr__(self, "slept", [])

    def sleep(self, seconds: float) -> None:
        if seconds > 0.1:  # less is a look at what is left of a group
            self.slept.append(seconds)  # type: ignore[attr-defined]


def attempts(config: dict[str, Any], number: int = 1) -> list[int]:
    """Return how many attempts each site was given, here and there."""
    names = [f"site-{n}" for n in range(number)]
    beside, after = AsyncPipelineExecutor(config), PipelineExecutor(config)
    asyncio.run(beside.run_all_async(names))
    after.run_all(names)
    assert beside.last_run is not None
    assert after.last_run is not None
    found = [len(site.attempts) for site in beside.last_run]
    assert found == [len(site.attempts) for site in after.last_run]
    return found


@pytest.mark.parametrize("count", [1, 2, 4])
def test_retry_count_is_the_number_of_attempts(count: int) -> None:
    assert attempts(sites("exit 1", retry_count=count)) == [count]
    assert attempts(sites("exit 0", retry_count=count)) == [1]


def test_site_may_have_a_count_of_its_own() -> None:
    own = {"site-0": {"retry_count": 1}, "site-1": {"retry_count": 3}, "site-2": None}

    assert attempts(sites("exit 1", retry_count=2, sites=own), 3) == [1, 3, 2]


@pytest.mark.parametrize(
    ("script", "again", "expected"),
    [
        ("exit 1", None, 2),
        ("exit 2", None, 2),
        ("kill -9 $$", None, 2),
        ("exec sleep 60", None, 2),
        ("exit 3", [3], 2),
        ("exit 4", [3], 1),
        ("exit 4", [3, 4], 2),
        ("exit 3", ["signal", "timeout"], 1),
        ("kill -9 $$", [3], 1),
        ("kill -9 $$", ["signal"], 2),
        ("kill -9 $$", ["timeout"], 1),
        ("exec sleep 60", ["signal"], 1),
        ("exec sleep 60", ["timeout"], 2),
        ("exit 1", [], 1),
    ],
)
def test_retry_on_narrows_what_is_tried_again(
    script: str, again: list[Any] | None, expected: int
) -> None:
    limit = 0.2 if "sleep" in script else 60
    options = {} if again is None else {"retry_on": again}

    config = sites(script, retry_count=2, timeout=limit, **options)

    assert attempts(config) == [expected]


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (Ended(by="exit", code=0), ("success", False)),
        (Ended(by="exit", code=1), ("failure", False)),
        (Ended(by="exit", code=2), ("incomplete", False)),
        (Ended(by="exit", code=3), ("incomplete", True)),
        (Ended(by="exit", code=77), ("incomplete", False)),
        (Ended(by="signal", signal=9), ("incomplete", True)),
        (Ended(by="timeout", code=0), ("incomplete", True)),
        (Ended(by="lost"), ("incomplete", True)),
        (Ended(by="stopped", signal=15), ("interrupted", False)),
    ],
    ids=lambda value: getattr(value, "by", None),
)
def test_default_command_is_tried_again_if_it_could_not_be_completed(
    ended: Ended, expected: tuple[str, bool]
) -> None:
    config = PipelineConfig(retry_count=3)
    run = SiteRun("a", config, Spawner(Path()))
    run._started_at = datetime.now(UTC)

    pause = run.ended(ended)

    assert (run._outcome, pause is not None) == expected


@pytest.mark.parametrize(
    ("kind", "factors"),
    [
        ("fixed", [1, 1, 1, 1, 1]),
        ("linear", [1, 2, 3, 4, 5]),
        ("exponential", [1, 2, 4, 8, 16]),
    ],
)
def test_pauses_grow_as_the_configuration_says(kind: Any, factors: list[int]) -> None:
    clock = Stopped()
    config = sites(
        "exit 1", retry_count=6, retry_delay=2, async_settings={"retry_backoff": kind}
    )

    PipelineExecutor(config, clock=clock).run_all(["a"])

    slept = clock.slept  # type: ignore[attr-defined]
    assert len(slept) == 5
    for seconds, factor in zip(slept, factors, strict=True):
        assert factor <= seconds <= 2 * factor


@given(
    st.sampled_from(["fixed", "linear", "exponential"]),
    st.floats(0, 1e9),
    st.integers(0, 10_000),
)
def test_pause_is_never_longer_than_a_minute(
    kind: Any, delay: float, number: int
) -> None:
    policy = policy_of(PipelineConfig(retry_backoff=kind, retry_delay=delay), 10**5)

    pause = policy.wait(number, 0.0)

    assert pause is not None
    assert 0 <= pause <= 60


async def test_site_that_waits_gives_its_place_to_others(tmp_path: Path) -> None:
    script = f'echo "$TRUTHOUND_SITE" >>{tmp_path}/seen; [ "$TRUTHOUND_SITE" != waits ]'
    config = sites(script, retry_count=2, retry_delay=1, max_concurrent_sites=1)

    await AsyncPipelineExecutor(config).run_all_async(["waits", "a", "b"])

    assert (tmp_path / "seen").read_text().split() == ["waits", "a", "b", "waits"]


async def test_site_that_waits_is_seen_to_wait() -> None:
    executor = AsyncPipelineExecutor(sites("exit 1", retry_count=2, retry_delay=0.4))
    task = asyncio.create_task(executor.run_all_async(["a"]))
    seen = []
    while not task.done():
        if executor.story and (site := executor.story.active.get("a")):
            assert site.seconds >= 0
            seen.append((site.waits, site.number))
        await asyncio.sleep(0.01)

    assert await task == {"a": False}
    order = [key for key, _ in itertools.groupby(seen)]
    assert (True, 2) in order
    assert order[0] == (False, 1)


def test_attempt_after_a_failure_can_be_the_one(tmp_path: Path) -> None:
    script = f"echo x >>{tmp_path}/tries; [ $(wc -l <{tmp_path}/tries) -eq 3 ]"
    executor = PipelineExecutor(sites(script, retry_count=5))

    assert executor.run_all(["a"]) == {"a": True}
    assert executor.last_run is not None
    (site,) = executor.last_run
    assert [attempt.exit_code for attempt in site.attempts] == [1, 1, 0]
    assert [attempt.number for attempt in site.attempts] == [1, 2, 3]
    assert site.error is None
    assert site.summary().startswith("a: success (3 attempts, ")


def test_site_whose_data_is_bad_is_not_checked_again() -> None:
    """The default command, as it is: 0, 1, 2 and 3."""
    Path("good.csv").write_text("id\n1\n")
    Path("bad.csv").write_text("id,x\n1,\n")
    named = {name: {"source": f"{name}.csv"} for name in ("good", "bad", "gone")}
    named["unset"] = {"source": "${NO_LAKE}/x.csv"}
    executor = AsyncPipelineExecutor(
        {
            "sites": named,
            "defaults": {"validators": ["null"]},
            "retry_count": 2,
            "retry_delay": 0,
        }
    )

    asyncio.run(executor.run_all_async([*named, "unknown"]))

    assert executor.last_run is not None
    found = {
        site.site: (site.outcome, [attempt.exit_code for attempt in site.attempts])
        for site in executor.last_run
    }
    assert found == {
        "good": ("success", [0]),
        "bad": ("failure", [1]),
        "gone": ("incomplete", [3, 3]),
        "unset": ("incomplete", [2]),
        "unknown": ("incomplete", []),
    }
