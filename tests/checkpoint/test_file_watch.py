"""`FileWatchTrigger` in a runner: which files count, when, and that none is lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Probe
from processes import eventually, until
from truthound._clock import SYSTEM_CLOCK
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.config import load_checkpoints
from truthound.checkpoint.triggers import EventTrigger, FileWatchTrigger
from truthound.checkpoint.triggers._paths import Marker, among, place_of
from truthound.checkpoint.triggers._seen import modified_of
from truthound.errors import ConfigurationError, StoreError
from truthound.store import RunRecord, RunState, Store

PATIENCE = 20  # seconds, until something counts as hanging
GOOD = "id\n1\n2\n"
BAD = "id\n1\n1\n"


def put(path: Path, text: str = GOOD) -> Path:
    """Make a file in one step: nobody sees it empty."""
    outside = path.parent / f"{path.name}.tmp"
    outside.write_text(text)
    outside.rename(path)
    return path


def write_old(path: Path, text: str = GOOD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (1, 1))
    return path


class Watching:
    """A runner with a checkpoint that watches; each result is noted."""

    def __init__(self, *paths: Any, store: Any = False, **options: Any) -> None:
        source = options.pop("data_source", "trigger:file")
        options.setdefault("settle_seconds", 0.05)
        self.trigger = FileWatchTrigger(paths=list(paths), **options)
        self.checkpoint = Checkpoint(
            "rides",
            data_source=source,
            validators=[{"unique": {"column": "id", "severity": "critical"}}],
            triggers=[self.trigger],
        )
        self.results: list[Any] = []
        self.errors: list[Exception] = []
        self.runner = AsyncCheckpointRunner(
            store=store,
            result_callback=self.results.append,
            error_callback=self.errors.append,
            result_queue_size=None,
        ).add_checkpoint(self.checkpoint)

    async def __aenter__(self) -> Watching:
        await asyncio.sleep(0.02)  # what is there now was there before
        await self.runner.__aenter__()
        await until(lambda: self.is_on)
        return self

    async def __aexit__(self, *given: Any) -> None:
        await self.runner.__aexit__(*given)
        assert not self.errors

    @property
    def is_on(self) -> bool:
        """Whether each place has been looked through."""
        return all(not one.is_first_look for one in self.trigger.landings())

    def files(self) -> list[str]:
        return [Path(result.metadata["file"]).name for result in self.results]

    async def until(self, condition: Callable[[list[str]], bool]) -> list[str]:
        await until(lambda: condition(self.files()))
        return self.files()


# ------------------------------------------------------------------ one run a file


async def test_checkpoint_checks_exactly_the_file_that_arrived(tmp_path: Path) -> None:
    write_old(tmp_path / "old.csv", BAD)
    async with Watching(tmp_path, per_file=True) as w:
        put(tmp_path / "good.csv")
        await w.until(lambda files: len(files) == 1)
        path = put(tmp_path / "bad.csv", BAD)
        await w.until(lambda files: len(files) == 2)

    good, bad = w.results
    assert (good.status, bad.status) == ("success", "failure")
    assert bad.data_asset == bad.metadata["file"] == str(path)
    assert bad.metadata["file_size"] == len(BAD)
    assert bad.metadata["file_change"] == "created"
    assert bad.metadata["file_modified"].startswith("20")
    assert bad.metadata["files"] == [str(path)]
    assert bad.metadata["file_count"] == 1


async def test_each_file_has_a_run_of_its_own_in_order(tmp_path: Path) -> None:
    begun: list[str] = []
    gate = asyncio.Event()
    most = running = 0

    async def look(context: Any) -> None:
        nonlocal most, running
        begun.append(Path(context["file"]).name)
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1

    class Slow(Probe):
        async def run_async(self, context: Any = None) -> Any:
            await look(context)
            return await super().run_async(context)

    trigger = FileWatchTrigger(paths=tmp_path, per_file=True, max_concurrent=3)
    runner = AsyncCheckpointRunner(result_queue_size=None)
    runner.add_checkpoint(Slow("p", triggers=[trigger]))
    names = [f"{n:02}.csv" for n in range(12)]
    async with runner:
        await until(lambda: not trigger.landings()[0].is_first_look)
        for name in names:
            put(tmp_path / name)
        await until(lambda: len(begun) == 3)
        await asyncio.sleep(0.1)
        assert len(begun) == 3
        gate.set()
        await until(lambda: len(begun) == 12)
    assert begun == names
    assert most == 3


async def test_run_that_no_single_file_started_says_so(tmp_path: Path) -> None:
    checkpoint = Checkpoint("c", data_source="trigger:file", validators=["null"])
    result = await checkpoint.run_async()
    assert result.status == "error"
    assert "no file has started this run" in result.error

    both = {"file": "b.csv", "files": ["a.csv", "b.csv"], "file_count": 2}
    result = await checkpoint.run_async(both)
    assert "this run is for 2 of them: the trigger needs per_file: true" in result.error

    result = await checkpoint.run_async({"file": str(write_old(tmp_path / "a.csv"))})
    assert result.status == "success"
    context = {"file": str(tmp_path / "a.csv")}
    result = await asyncio.to_thread(checkpoint.run, context)
    assert result.status == "success"


def test_misspelt_or_useless_source_is_named(tmp_path: Path) -> None:
    trigger = FileWatchTrigger(paths=tmp_path)
    checkpoint = Checkpoint(
        "c", data_source="trigger:file", validators=["null"], triggers=[trigger]
    )
    (problem,) = checkpoint.validate()
    assert problem.endswith("per_file: data_source is trigger:file, which needs it")

    early = FileWatchTrigger(paths=tmp_path, per_file=True, run_immediately=True)
    checkpoint.triggers[:] = []
    (problem,) = checkpoint.add_trigger(early).validate()
    assert "run_immediately" in problem

    gone = FileWatchTrigger(paths=tmp_path, per_file=True, events=["deleted"])
    checkpoint.triggers[:] = []
    (problem,) = checkpoint.add_trigger(gone).validate()
    assert "events: data_source is trigger:file" in problem

    wrong = Checkpoint("c", data_source="trigger:files", validators=["null"])
    assert "trigger:file is the file that" in wrong.validate()[0]


def test_source_of_a_configuration_file_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "truthound.yaml").write_text(
        "checkpoints:\n"
        "  rides:\n"
        "    data_source: trigger:file\n"
        "    validators: [null]\n"
        "    triggers:\n"
        "      - {type: file_watch, paths: landing, per_file: true, marker: _SUCCESS}\n"
    )
    (checkpoint,) = load_checkpoints(tmp_path / "truthound.yaml")
    assert checkpoint.config.data_source == "trigger:file"
    assert checkpoint.triggers[0].config.marker == "_SUCCESS"


# ------------------------------------------------------------------- which files


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "x/y/a.csv", True),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "x/y/a.csv", True),
        ("x/*.csv", "x/a.csv", True),
        ("x/*.csv", "x/y/a.csv", False),
        ("x/*.csv", "y/a.csv", False),
        ("*/2026-*.csv", "x/2026-01.csv", True),
        ("*/2026-*.csv", "2026-01.csv", False),
        ("x/**", "x/y/z", True),
        ("x/**/z", "x/z", True),
        ("[ab].csv", "a.csv", True),
        ("[!ab].csv", "a.csv", False),
    ],
)
def test_patterns_of_names_and_paths(pattern: str, path: str, fits: bool) -> None:
    assert among([pattern])(path) is fits


@given(st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=5))
def test_two_stars_stand_for_any_number_of_folders(parts: list[str]) -> None:
    path = "/".join(parts)
    assert among([f"**/{parts[-1]}"])(path)
    assert among([f"{parts[0]}/**/{parts[-1]}"])(path) is (len(parts) > 1)
    assert among([path])(path)


async def test_pattern_of_paths_says_which_folders_are_watched(tmp_path: Path) -> None:
    for name in ("a", "b/deep"):
        (tmp_path / "landing" / name).mkdir(parents=True)
    pattern = tmp_path / "landing" / "*" / "2026-*.csv"
    async with Watching(pattern, per_file=True) as w:
        put(tmp_path / "landing" / "a" / "2025-12.csv")
        put(tmp_path / "landing" / "b" / "deep" / "2026-01.csv")
        put(tmp_path / "landing" / "2026-02.csv")
        put(tmp_path / "landing" / "b" / "2026-03.csv")
        (tmp_path / "landing" / "new").mkdir()
        put(tmp_path / "landing" / "new" / "2026-04.csv")
        assert await w.until(lambda f: len(f) == 2) == ["2026-03.csv", "2026-04.csv"]


def test_path_that_is_there_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "data[1]").mkdir()
    assert place_of(tmp_path / "data[1]").pattern is None
    assert place_of(tmp_path / "data[2]").top == tmp_path


async def test_temporary_names_do_not_count_unless_asked(tmp_path: Path) -> None:
    names = ("a.csv.part", "a.tmp", "a.csv~", "a.crdownload", "_temporary/0/a.csv")
    async with Watching(tmp_path, per_file=True, settle_seconds=0) as w:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(GOOD)
        put(tmp_path / "last.csv")
        assert await w.until(lambda f: "last.csv" in f) == ["last.csv"]

    async with Watching(
        tmp_path, per_file=True, temporary_patterns=(), data_source={"id": [1]}
    ) as w:
        (tmp_path / "b.csv.part").write_text(GOOD)
        assert await w.until(bool) == ["b.csv.part"]


# ----------------------------------------------------------------- when they count


async def test_renamed_file_counts_without_the_wait(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    landing = tmp_path / "landing"
    outside.mkdir()
    landing.mkdir()
    async with Watching(landing, per_file=True, settle_seconds=3_600) as w:
        (landing / "slow.csv").write_text(GOOD)
        write_old(outside / "quick.csv").rename(landing / "quick.csv")
        (outside / "folder").mkdir()
        write_old(outside / "folder" / "inner.csv")
        (outside / "folder").rename(landing / "folder")
        files = await w.until(lambda f: len(f) == 2)
        assert files == ["quick.csv", "inner.csv"]


async def test_file_counts_when_its_writer_closes_it(tmp_path: Path) -> None:
    async with Watching(tmp_path, per_file=True, settle_seconds=0) as w:
        with (tmp_path / "a.csv").open("w") as file:
            for number in range(200):
                file.write("id\n" if not number else f"{number}\n")
        await w.until(bool)
    assert w.results[0].validation_run.row_count == 199
    assert len(w.results) == 1


async def test_marker_beside_each_file(tmp_path: Path) -> None:
    write_old(tmp_path / "before.csv")
    async with Watching(tmp_path, per_file=True, marker="{name}.done") as w:
        put(tmp_path / "unmarked.csv")
        put(tmp_path / "a.csv")
        put(tmp_path / "a.csv.done", "")
        put(tmp_path / "b.csv.done", "")
        put(tmp_path / "b.csv")
        put(tmp_path / "before.csv.done", "")
        files = await w.until(lambda f: len(f) == 3)
        assert sorted(files) == ["a.csv", "b.csv", "before.csv"]
        put(tmp_path / "a.csv.done", "again")
        put(tmp_path / "unmarked.csv.done", "")
        assert (await w.until(lambda f: len(f) == 4))[3] == "unmarked.csv"


async def test_marker_of_a_folder_makes_it_count_as_a_whole(tmp_path: Path) -> None:
    async with Watching(
        tmp_path, per_file=True, marker="_SUCCESS", patterns="**/*.csv"
    ) as w:
        day = tmp_path / "day=1"
        day.mkdir()
        for part in range(3):
            put(day / f"part-{part}.csv", f"id\n{part}\n")
        (tmp_path / "_SUCCESS.txt").touch()
        (tmp_path / "empty").mkdir()
        (tmp_path / "empty" / "_SUCCESS").touch()
        (day / "_SUCCESS").touch()
        await w.until(bool)
        put(day / "late.csv")
        (day / "_SUCCESS").unlink()
        await asyncio.sleep(0.1)
        (day / "_SUCCESS").write_text("again")
        await w.until(lambda f: len(f) == 2)
    first, second = w.results
    assert first.metadata["file"] == str(day)
    assert first.metadata["file_count"] == 3
    assert first.validation_run.row_count == 3
    assert second.metadata["file_count"] == 4


@pytest.mark.parametrize(
    ("pattern", "name", "marker"),
    [
        ("{name}.done", "a.csv", "a.csv.done"),
        ("{stem}.ok", "a.csv", "a.ok"),
        ("done-{name}", "a.csv", "done-a.csv"),
    ],
)
def test_marker_and_file_lead_to_each_other(
    tmp_path: Path, pattern: str, name: str, marker: str
) -> None:
    (tmp_path / name).touch()
    (tmp_path / marker).touch()
    found = Marker(pattern)
    assert found.of(str(tmp_path / name)) == str(tmp_path / marker)
    assert found.files_of(str(tmp_path / marker)) == [str(tmp_path / name)]
    assert found.is_one(marker)
    assert not found.is_one(name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"marker": "{nam}.done"}, "marker is a name with {name} or {stem} once"),
        ({"marker": "{name}"}, "marker is a name with {name} or {stem} once"),
        ({"marker": "*.done"}, "marker is a name, not a pattern"),
        ({"marker": "x/_SUCCESS"}, "marker is a name such as _SUCCESS"),
        ({"marker": ""}, "marker is a name such as _SUCCESS"),
        ({"per_file": "yes"}, "per_file is True or False"),
        ({"temporary_patterns": 3}, "temporary_patterns is a text, or a list"),
        ({"settle_seconds": -1}, "settle_seconds"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words.replace("*", r"\*")):
        FileWatchTrigger(paths=".", **options)


# ------------------------------------------------------------- while nobody watched


async def test_files_that_arrived_while_down_have_their_runs(tmp_path: Path) -> None:
    landing, store = tmp_path / "landing", tmp_path / "runs.db"
    write_old(landing / "before.csv")
    write_old(landing / "changing.csv")
    options = {"per_file": True, "store": store}
    async with Watching(landing, **options) as w:
        put(landing / "a.csv")
        await w.until(bool)

    put(landing / "b.csv")
    put(landing / "changing.csv", "id\n5\n")
    (landing / "before.csv").chmod(0o600)
    os.utime(landing / "a.csv")
    async with Watching(landing, **options) as w:
        put(landing / "c.csv")
        files = await w.until(lambda f: len(f) == 3)
    assert sorted(files) == ["b.csv", "c.csv", "changing.csv"]
    changes = {Path(r.metadata["file"]).name: r.metadata for r in w.results}
    assert changes["b.csv"]["file_change"] == "created"

    async with Watching(landing, **options) as w:
        put(landing / "last.csv")
        assert await w.until(bool) == ["last.csv"]


@pytest.mark.parametrize("was", ["0:file_watch", "3:file_watch"])
async def test_files_of_while_down_are_found_with_another_trigger_before(
    tmp_path: Path, was: str
) -> None:
    landing, store = tmp_path / "landing", tmp_path / "runs.db"
    other = tmp_path / "other"
    other.mkdir()
    landing.mkdir()
    async with Watching(landing, per_file=True, store=store) as w:
        put(landing / "a.csv")
        await w.until(bool)
    async with Store(store) as opened:  # as it was written down in the past
        old, new = (f"rides|{n}|{landing}" for n in ("0:file_watch", was))
        state = await asyncio.to_thread(opened.cursor, old)
        parts = await asyncio.to_thread(lambda: list(opened.load(old)))
        await opened.set_cursor(old, None)
        await asyncio.to_thread(opened.save, old, [], [part.file for part in parts])
        await asyncio.to_thread(opened.save, new, parts, [])
        await opened.set_cursor(new, state)

    put(landing / "b.csv")
    w = Watching(landing, per_file=True, store=store)
    before = [EventTrigger(), EventTrigger(), FileWatchTrigger(paths=other)]
    w.checkpoint.triggers[:0] = before
    async with w:
        put(landing / "c.csv")
        assert sorted(await w.until(lambda f: len(f) == 2)) == ["b.csv", "c.csv"]


async def test_run_that_was_cut_off_leaves_its_file_to_the_next_start(
    tmp_path: Path,
) -> None:
    landing, store = tmp_path / "landing", tmp_path / "runs.db"
    landing.mkdir()
    begun = asyncio.Event()

    async def hang() -> Any:
        begun.set()
        await asyncio.Event().wait()

    w = Watching(landing, store=store, per_file=True, data_source=hang)
    async with w:
        for name in ("a.csv", "b.csv"):
            put(landing / name)
        async with asyncio.timeout(PATIENCE):
            await begun.wait()
        await w.runner.stop_async(wait=False)
    async with Watching(landing, store=store, per_file=True) as w:
        assert await w.until(lambda f: len(f) == 2) == ["a.csv", "b.csv"]


async def test_files_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    landing, store = tmp_path / "landing", tmp_path / "runs.db"
    landing.mkdir()
    async with Watching(landing, per_file=True, store=store) as w:
        for name in ("a.csv", "b.csv", "c.csv"):
            put(landing / name)
        await w.until(lambda f: len(f) == 3)
        (landing / "a.csv").unlink()
        await until(lambda: "a.csv" not in w.trigger.landings()[0].seen.known)
    assert await known(store, landing) == ["b.csv", "c.csv"]

    (landing / "b.csv").unlink()
    async with Watching(landing, per_file=True, store=store):
        pass
    assert await known(store, landing) == ["c.csv"]

    # A disk that is not there has not lost its files.
    landing.rename(tmp_path / "away")
    landing.mkdir()
    async with Watching(landing, per_file=True, store=store):
        pass
    assert await known(store, landing) == ["c.csv"]


async def test_file_that_was_deleted_while_down_counts_if_asked(tmp_path: Path) -> None:
    landing, store = tmp_path / "landing", tmp_path / "runs.db"
    options: Any = {"per_file": True, "store": store, "data_source": {"id": [1]}}
    options["events"] = ["created", "deleted"]
    landing.mkdir()
    async with Watching(landing, **options) as w:
        put(landing / "a.csv")
        put(landing / "b.csv")
        await w.until(lambda f: len(f) == 2)

    (landing / "a.csv").unlink()
    async with Watching(landing, **options) as w:
        await w.until(bool)
        (landing / "b.csv").unlink()
        assert await w.until(lambda f: len(f) == 2) == ["a.csv", "b.csv"]
    assert [r.metadata["file_change"] for r in w.results] == ["deleted", "deleted"]
    assert await known(store, landing) == []


@pytest.mark.parametrize("settle", [0, 0.05])
async def test_files_count_where_the_system_tells_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settle: float
) -> None:
    monkeypatch.setattr("truthound.async_core._watching.HAS_INOTIFY", False)
    async with Watching(tmp_path, per_file=True, settle_seconds=settle) as w:
        put(tmp_path / "renamed.csv")
        await w.until(bool)
        with (tmp_path / "written.csv").open("w") as file:
            file.write(GOOD)
        files = await w.until(lambda f: len(f) == 2)
    assert files == ["renamed.csv", "written.csv"]
    assert [r.validation_run.row_count for r in w.results] == [2, 2]


async def known(store: Path, landing: Path) -> list[str]:
    async with Store(store) as opened:
        key = f"rides|0:file_watch|{landing}"
        return [part.file for part in await asyncio.to_thread(opened.load, key)]


async def test_file_that_ends_the_process_again_and_again_is_left_out(
    tmp_path: Path,
) -> None:
    landing, place = tmp_path / "landing", tmp_path / "runs.db"
    landing.mkdir()
    w = Watching(landing, per_file=True, store=place)
    async with w:
        pass
    put(landing / "poison.csv")
    put(landing / "fine.csv")
    now = SYSTEM_CLOCK.now()
    async with Store(place) as store:
        for name, number in (("poison.csv", 5), ("fine.csv", 4)):
            status = (landing / name).stat()
            told = {
                "file": str(landing / name),
                "file_modified": modified_of((status.st_mtime_ns, status.st_size)),
                "file_size": status.st_size,
            }
            for n in range(number):
                record = RunRecord(
                    run_id=f"{name}{n}",
                    checkpoint="rides",
                    state=RunState.ACCEPTED,
                    owner=f"{name}{n}",
                    accepted_at=now,
                    trigger="file_watch",
                    context=told,
                )
                await store.accept([record])
                await store.begun(record.run_id, 1, record.owner, now)

    async with Watching(landing, per_file=True, store=place) as w:
        await until(lambda: w.errors and checked(w))
        assert "poison.csv: 5 runs of it have ended with their" in str(w.errors.pop())
        await w.runner.wait_for_completion_async(PATIENCE)
        assert checked(w) == ["fine.csv"]
        put(landing / "poison.csv", "id\n3\n")
        await until(lambda: len(checked(w)) == 2)
        assert checked(w) == ["fine.csv", "poison.csv"]


async def test_files_that_ran_beside_poison_have_their_runs_alone(
    tmp_path: Path,
) -> None:
    landing, place = tmp_path / "landing", tmp_path / "runs.db"
    landing.mkdir()
    async with Watching(landing, per_file=True, store=place):
        pass
    names, now = ["a.csv", "b.csv", "c.csv"], SYSTEM_CLOCK.now()
    async with Store(place) as store:
        for name in names:
            status = put(landing / name).stat()
            told = {
                "file": str(landing / name),
                "file_modified": modified_of((status.st_mtime_ns, status.st_size)),
                "file_size": status.st_size,
            }
            for n in range(7):
                record = RunRecord(
                    run_id=f"{name}{n}",
                    checkpoint="rides",
                    state=RunState.ACCEPTED,
                    owner=f"process {n}",  # in which all of them ran
                    accepted_at=now,
                    trigger="file_watch",
                    context=told,
                )
                await store.accept([record])
                await store.begun(record.run_id, 1, record.owner, now)

    running: list[int] = [0]
    most: dict[str, int] = {}

    async def source(context: Any) -> Any:
        name = Path(context["file"]).name
        running[0] += 1
        most[name] = running[0]
        await asyncio.sleep(0.05)
        most[name] = max(most[name], running[0])
        running[0] -= 1
        return {"id": [1]}

    options: Any = {"per_file": True, "max_concurrent": 4, "data_source": source}
    async with Watching(landing, store=place, **options) as w:
        put(landing / "new1.csv")
        await until(lambda: len(checked(w)) == 4)
        put(landing / "new2.csv")
        put(landing / "new3.csv")
        await until(lambda: len(checked(w)) == 6)
    assert {name: most[name] for name in names} == dict.fromkeys(names, 1)


def checked(w: Watching) -> list[str]:
    """Return the files whose runs were not only given an end."""
    runs = [result for result in w.results if result.validation_run is not None]
    return [Path(result.metadata["file"]).name for result in runs]


async def test_store_that_fails_is_told_and_files_still_run(tmp_path: Path) -> None:
    class Failing(Store):
        def cursor(self, name: str) -> Any:
            raise StoreError("the store is away")

    w = Watching(tmp_path, per_file=True, store=Failing(tmp_path.parent / "s.db"))
    async with w:
        put(tmp_path / "a.csv")
        await w.until(bool)
        assert "the store is away" in str(w.errors.pop())


async def test_odd_names_and_a_burst(tmp_path: Path) -> None:
    names = ["a b.csv", "ä€.csv", "%s{}.csv", "new\nline.csv", "-rf.csv"]
    async with Watching(
        tmp_path, per_file=True, store=tmp_path.parent / "o.db", max_concurrent=4
    ) as w:
        for name in [*names, *(f"{n}.csv" for n in range(200))]:
            put(tmp_path / name)
        files = await w.until(lambda f: len(f) >= 205)
    assert len(files) == 205
    assert set(names) < set(files)


async def test_name_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    name = os.fsdecode(b"a\xff.csv")
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("the file system takes no such names")
    (tmp_path / name).unlink()
    async with Watching(tmp_path, per_file=True) as w:
        put(tmp_path / name)
        await until(lambda: bool(w.results))
    (result,) = w.results
    assert result.error is not None
    assert "a\\xff.csv: its name is no UTF-8; rename it" in result.error
    w.errors.clear()


async def test_pipe_is_no_file_and_holds_up_nobody(tmp_path: Path) -> None:
    async with Watching(tmp_path, per_file=True, settle_seconds=0) as w:
        os.mkfifo(tmp_path / "pipe.csv")
        os.mkfifo(tmp_path / "moved.tmp")
        (tmp_path / "moved.tmp").rename(tmp_path / "moved.csv")
        (tmp_path / "link.csv").symlink_to(write_old(tmp_path / "_temporary" / "a.csv"))
        (tmp_path / "dangling.csv").symlink_to("nowhere")
        put(tmp_path / "last.csv")
        files = await w.until(lambda f: len(f) == 2)
    assert sorted(files) == ["last.csv", "link.csv"]


async def test_folder_may_be_the_one_in_which_the_process_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = tmp_path.parent / f"{tmp_path.name}.db"
    async with Watching(".", per_file=True, store=store, patterns="**/*.csv") as w:
        put(tmp_path / "a.csv")
        await w.until(bool)
    assert w.results[0].metadata["file"] == "a.csv"

    (tmp_path / "sub").mkdir()
    put(tmp_path / "sub" / "b.csv")
    monkeypatch.chdir(tmp_path / "sub")
    async with Watching(
        tmp_path, per_file=True, store=store, patterns="**/*.csv"
    ) as w:  # the same place, written in another way
        assert await w.until(bool) == ["b.csv"]

    monkeypatch.chdir(tmp_path)
    async with Watching(".", per_file=True, marker="_SUCCESS") as w:
        (tmp_path / "_SUCCESS").touch()
        await w.until(bool)
    assert w.results[0].metadata["files"] == ["./a.csv", "./sub/b.csv"]


# ----------------------------------------------------------------------- kill -9

PROGRAM = Path(__file__).parent / "watched_and_killed.py"
IS_TORTURE = os.environ.get("TRUTHOUND_TEST_PROFILE") == "torture"
KILLS = 200 if IS_TORTURE else 10


@pytest.mark.timeout(3000 if IS_TORTURE else 120)
@pytest.mark.parametrize("recovery", ["interrupted", "rerun"])
def test_no_file_is_lost_when_the_process_is_killed(
    tmp_path: Path, recovery: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files arrive all the time, written in place or renamed into it."""
    chance = random.Random(7)
    landing = tmp_path / "landing"
    landing.mkdir()
    names: list[str] = []
    stop = threading.Event()

    def feed() -> None:
        eventually(lambda: (tmp_path / "watching").exists())
        # So many that those that wait never end; not so many that the end never comes.
        while not stop.wait(0.004 if len(names) < 300 else 0.04):
            name = f"{len(names):05}.csv"
            if len(names) % 2:
                put(landing / name)
            else:
                (landing / name).write_text(GOOD)
            names.append(name)

    feeder = threading.Thread(target=feed)
    with subprocess.Popen(
        [sys.executable, str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "RECOVERY": recovery},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def told(milliseconds: int) -> int:
            process.stdin.write(f"{tmp_path}\t{milliseconds}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        feeder.start()
        ends = [told(chance.randrange(60, 350)) for _ in range(KILLS // 2)]
        stop.set()
        feeder.join()
        assert set(ends) == {-9}
        assert told(0) == 0
        process.stdin.close()
        assert process.wait(30) == 0

    with contextlib.closing(sqlite3.connect(tmp_path / "runs.db")) as database:
        rows = database.execute("SELECT state, context FROM runs").fetchall()
    files = Counter(
        Path(json.loads(context)["file"]).name
        for state, context in rows
        if state == "finished"
    )
    assert set(names) <= set(files)
    with capsys.disabled():
        again = sum(files.values()) - len(files)
        print(f"\n{len(ends)} kills, {len(names)} files, {again} of them run again")
