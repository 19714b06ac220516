"""Questions to each kind of store, over what a journal has really written."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from store_records import NOW, notice, run
from truthound.errors import UnknownNameError
from truthound.store import (
    NoticeState,
    Outcome,
    RunRecord,
    RunState,
    Settled,
    Store,
)

STATUSES = ("success", "warning", "success", "failure", "error", "success")
SOURCES = ("a.csv", "b.csv")
RUNS = 24
OPEN = (21, 22)  # the one is running, the other was only accepted
NAMES = ("fares", "people", "rides")


def name_of(number: int) -> str:
    return NAMES[number % 3]


def at(number: int) -> datetime:
    # Two at a time: the order of acceptance decides between them.
    return NOW + timedelta(minutes=number // 2)


def status_of(number: int) -> str | None:
    return None if number in OPEN else STATUSES[number % 6]


def state_of(number: int) -> str:
    if number in OPEN:
        return "running" if number == OPEN[0] else "accepted"
    return "failed" if status_of(number) == "error" else "finished"


def source_of(number: int) -> str:
    return "" if number in OPEN else SOURCES[number % 2]


async def written(store: Store) -> None:
    """Let runs pass their states as a runner does; every fourth owes something."""
    for n in range(RUNS):
        run_id, name = f"r{n:02}", name_of(n)
        await store.accept([run(run_id, checkpoint=name, accepted_at=at(n))])
        if n == OPEN[1]:
            continue
        await store.begun(run_id, 1, "me", at(n))
        if n == OPEN[0]:
            continue
        said = str(status_of(n))
        outcome = Outcome(
            status=said,
            source=source_of(n),
            summary=f"{name}: {said}",
            row_count=n,
            duration_ms=1.5,
            metrics={"rows": n, "nulls é": None},
            document=lambda n=n, said=said: {"status": said, "n": n},  # type: ignore[misc]
        )
        owes = [notice(run_id, checkpoint=name)] if n % 4 == 0 else []
        await store.found(run_id, 1, "me", outcome, owes)
        ended = Outcome(
            status=said,
            source=source_of(n),
            summary=outcome.summary,
            row_count=n,
            duration_ms=2.5,
            actions=lambda n=n: [{"action_name": f"a{n}"}],  # type: ignore[misc]
        )
        state = NoticeState.OWED if n % 8 else NoticeState.DELIVERED
        due = at(RUNS - n)
        settled = [Settled(position=0, state=state, due_at=due)] if owes else []
        end = RunState(state_of(n))
        later = at(n) + timedelta(seconds=1)
        assert await store.end(run_id, 1, "me", end, later, ended, settled)


@pytest.fixture
def asked(store: Store) -> Store:
    """Return a store of each kind, with runs."""
    asyncio.run(written(store))
    return store


def numbers(found: list[RunRecord]) -> list[int]:
    return [int(record.run_id[1:]) for record in found]


def newest_first(*wanted: int) -> list[int]:
    return sorted(wanted, key=lambda n: (at(n), n), reverse=True)


# --------------------------------------------------------------------------- filters

FILTERS: dict[str, list[Any]] = {
    "checkpoint": [None, "rides"],
    "statuses": [(), ("failure",), ("success", "error"), ("warning", "failure")],
    "states": [(), (RunState.RUNNING, "accepted"), ("finished",)],
    "since": [None, at(6)],
    "until": [None, at(20)],
    "source": [None, "b.csv"],
    "limit": [None, 3],
    "before": [None, 15],
}


def test_every_combination_of_filters_is_that_of_a_plain_loop(asked: Store) -> None:
    number = 0
    for values in itertools.product(*FILTERS.values()):
        said = dict(zip(FILTERS, values, strict=True))
        states = {str(state) for state in said["states"]}
        expected = newest_first(
            *(
                n
                for n in range(RUNS)
                if said["checkpoint"] in (None, name_of(n))
                and (not said["statuses"] or status_of(n) in said["statuses"])
                and (not states or state_of(n) in states)
                and (said["since"] is None or at(n) >= said["since"])
                and (said["until"] is None or at(n) < said["until"])
                and said["source"] in (None, source_of(n))
                and (said["before"] is None or (at(n), n) < (at(15), 15))
            )
        )[: said["limit"]]
        if said["before"] is not None:
            said["before"] = f"r{said['before']}"
        if not expected and number % 20:
            continue  # an empty answer makes SQLite look for damage, which takes time
        number += 1
        assert numbers(asked.runs(said.pop("checkpoint"), **said)) == expected, said
    assert number > 100


def test_a_record_has_what_was_written(asked: Store) -> None:
    found = asked.run("r04")
    assert (found.checkpoint, found.state, found.status) == (
        "people",
        "failed",
        "error",
    )
    assert (found.accepted_at, found.began_at) == (at(4), at(4))
    assert found.ended_at == at(4) + timedelta(seconds=1)
    assert (found.source, found.row_count, found.duration_ms) == ("a.csv", 4, 2.5)
    assert found.summary == "people: error"
    assert asked.checkpoints() == list(NAMES)


@pytest.mark.parametrize(
    ("which", "number"),
    [("latest", 23), ("latest~2", 21), ("rides", 23), ("rides~1", 20), ("r07", 7)],
)
def test_a_run_is_found_by_what_stands_for_it(
    asked: Store, which: str, number: int
) -> None:
    assert asked.run(which).run_id == f"r{number:02}"
    with pytest.raises(UnknownNameError):
        asked.run("rides~9")


def test_a_document_says_how_the_run_ended_or_that_it_runs(asked: Store) -> None:
    found = asked.document("r03")
    assert (found["n"], found["status"], found["duration_ms"]) == (3, "failure", 2.5)
    assert found["action_results"] == [{"action_name": "a3"}]
    for number in OPEN:
        known = asked.document(f"r{number}")
        assert (known["status"], known["error"]) == ("running", state_of(number))


@pytest.mark.parametrize("source", [None, "a.csv"])
@pytest.mark.parametrize("statuses", [None, ["success"], ["success", "failure"]])
def test_the_past_is_that_of_a_plain_loop(
    asked: Store, source: str | None, statuses: list[str] | None
) -> None:
    expected = [
        n
        for n in reversed(newest_first(*range(RUNS)))
        if name_of(n) == "rides"
        and n not in OPEN
        and source in (None, source_of(n))
        and (statuses is None or status_of(n) in statuses)
    ]
    found = asked.past("rides", source, 3, statuses)
    assert [past.values["rows"] for past in found] == expected[-3:]
    assert [past.at for past in found] == [at(n) for n in expected[-3:]]
    assert all(past.values["nulls é"] is None for past in found)


def test_notices_are_filtered_and_those_first_that_are_due_first(asked: Store) -> None:
    owed = ["r20", "r12", "r04"]  # the later the sooner due
    found = asked.notices(states=["owed"])
    assert [notice.run_id for notice in found] == owed
    assert [n.run_id for n in asked.notices(states=["owed"], limit=1)] == ["r20"]
    rides = [n.run_id for n in asked.notices(checkpoint="rides")]
    assert sorted(rides) == ["r08", "r20"]
    assert [n.state for n in asked.notices(run_id="r08")] == [NoticeState.DELIVERED]
    assert asked.notices(checkpoint="rides", states=["dead"]) == []
    counts = asked.counts()
    assert (counts["runs"], counts["results"], counts["notices"]) == (24, 22, 6)
    assert (counts["runs running"], counts["notices owed"]) == (1, 3)


def test_exports_hold_what_is_asked_for(asked: Store) -> None:
    said: dict[str, Any] = {"checkpoint": "rides", "source": "b.csv"}
    wanted = [f"r{n:02}" for n in numbers(asked.runs(limit=None, **said))]
    assert asked.export("runs.parquet", documents=True, **said) == len(wanted) > 2
    asked.export("runs.jsonl", documents=True, **said)
    frame = pl.read_parquet("runs.parquet")
    lines = [json.loads(line) for line in Path("runs.jsonl").read_text().splitlines()]
    assert frame["run_id"].to_list() == [line["run_id"] for line in lines] == wanted
    assert frame["accepted_at"].to_list() == [at(int(name[1:])) for name in wanted]
    assert [line["metrics"]["rows"] for line in lines] == frame["row_count"].to_list()
    assert [line["document"]["n"] for line in lines] == frame["row_count"].to_list()
    assert asked.export("all.parquet") == RUNS


# ----------------------------------------------------------------------------- prune


def kept_by(is_old: Any) -> set[int]:
    """Return the runs that stay when those go that are old, by a plain loop."""
    kept: set[int] = set()
    for name in NAMES:
        of_it = [n for n in newest_first(*range(RUNS)) if name_of(n) == name]
        bad = [n for n in of_it if status_of(n) in ("warning", "failure", "error")]
        kept |= {of_it[0], *bad[:1]}
        kept |= {n for place, n in enumerate(of_it) if not is_old(n, place)}
    owing = {n for n in range(0, RUNS, 4) if n % 8}
    return kept | owing | set(OPEN)


@pytest.mark.parametrize(
    ("minutes", "keep"), [(None, 0), (None, 3), (6, None), (8, 4), (0, 0)]
)
def test_prune_removes_what_is_old_and_matters_no_more(
    asked: Store, minutes: int | None, keep: int | None
) -> None:
    now = asked.clock.now()
    # Between two minutes: prune has a clock of its asked.
    border = None if minutes is None else NOW + timedelta(minutes=minutes, seconds=30)

    def is_old(number: int, place: int) -> bool:
        beyond = keep is not None and place >= keep
        return beyond or (border is not None and at(number) < border)

    said: dict[str, Any] = {"keep": keep}
    if border is not None:
        said["older_than"] = now - border
    expected = kept_by(is_old)
    assert asked.prune(trial=True, **said) == RUNS - len(expected) > 0
    assert asked.counts()["runs"] == RUNS
    assert asked.prune(**said) == RUNS - len(expected)
    assert set(numbers(asked.runs(limit=None))) == expected
    counts = asked.counts()
    assert counts["results"] == len(expected - set(OPEN))
    assert counts["notices"] == len([n for n in expected if n % 4 == 0])
    assert asked.prune(**said) == 0  # nothing is left to remove


def test_prune_of_one_checkpoint_leaves_the_others(asked: Store) -> None:
    others = {n for n in range(RUNS) if name_of(n) != "rides"}
    assert asked.prune(keep=0, checkpoint="rides") > 0
    assert others < set(numbers(asked.runs(limit=None)))


async def test_what_was_delivered_at_last_is_removed_with_its_run(asked: Store) -> None:
    await asyncio.to_thread(asked.prune, keep=0)
    before = len(await asyncio.to_thread(asked.notices))
    await asyncio.to_thread(asked.drop_notices)
    removed = await asyncio.to_thread(lambda: asked.prune(keep=0))
    assert removed >= 1
    assert len(await asyncio.to_thread(asked.notices)) == before - removed
