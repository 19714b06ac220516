"""Processes are killed at any point, and nothing is lost or torn."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import pytest

# As the program names them.
POINTS = (
    "transaction begins",
    "before the commit",
    "commit is counted",
    "after the commit, before the mark",
    "after the commit, before they are told",
    "a group is written",
    "recovery begins",
    "recovery before its commit",
    "owner is renewed",
    "notices are claimed",
    "settling",
    "tables are made",
    "store is opened",
    "file takes its place",
    "file is there",
    "sending",
    "sent",
    "at any time",
)
PROGRAM = Path(__file__).parent / "killed.py"
IS_TORTURE = os.environ.get("TRUTHOUND_TEST_PROFILE") == "torture"
KILLS = 1_000 if IS_TORTURE else 50
EARLY = ("tables are made", "store is opened", "file takes its place", "file is there")
ONCE = (*EARLY, "recovery begins", "recovery before its commit", "owner is renewed")
ENDS = {"finished", "failed", "interrupted", "cancelled"}
Tell = Callable[[str, Path, str, int], int]


@pytest.fixture
def tell() -> Iterator[Tell]:
    """Return what lets a child work; it returns how that has ended."""
    with subprocess.Popen(
        [sys.executable, str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines, answers = process.stdin, process.stdout

        def told(mode: str, folder: Path, point: str, number: int) -> int:
            lines.write(f"{mode}\t{folder}\t{point}\t{number}\n")
            lines.flush()
            return int(answers.readline())

        yield told
        lines.close()
        assert process.wait(30) == 0


def check(folder: Path) -> tuple[int, int]:
    """Account for all that was accepted; return how many runs and duplicates."""
    accepted = read(folder / "accepted")
    effects = Counter(read(folder / "effects"))
    database = sqlite3.connect(folder / "runs.db")
    try:
        (fine,) = database.execute("PRAGMA integrity_check").fetchone()
        assert fine == "ok"
        rows = database.execute(
            "SELECT run_id, state, document, (SELECT count(*) FROM notices n "
            "WHERE n.run_id = runs.run_id AND n.state = 'delivered') "
            "FROM runs LEFT JOIN results USING (seq)"
        ).fetchall()
        (open_notices,) = database.execute(
            "SELECT count(*) FROM notices WHERE state IN ('owed', 'sending')"
        ).fetchone()
    finally:
        database.close()
    known = {row[0] for row in rows}
    assert len(known) == len(rows)
    assert set(accepted) <= known, "lost"
    assert not open_notices
    for run_id, state, document, delivered in rows:
        assert state in ENDS, (run_id, state)
        if state == "finished":
            assert json.loads(document)["run_id"] == run_id
            assert delivered == 1
            assert effects[run_id] >= 1
    return len(rows), sum(effects.values()) - len(effects)


def read(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.timeout(3000 if IS_TORTURE else 120)
def test_nothing_is_lost_or_torn_wherever_a_process_is_killed(
    tell: Tell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(20)
    passed: Counter[str] = Counter()
    kills = runs = duplicates = case = 0
    early, later = cycle(EARLY), cycle(p for p in POINTS if p not in EARLY)
    # How often a child passes a point is chance: one that was not reached is met sooner
    # the next time, until it is met at its first passage.
    reach = {point: 1 if point in ONCE else 8 for point in POINTS}
    while kills < KILLS or (set(passed) != set(POINTS) and case < KILLS):
        folder = tmp_path / str(case)
        folder.mkdir()
        for turn in range(3):
            point = next(later if turn else early)
            number = chance.randint(1, reach[point])
            if point == "at any time":
                number = chance.randint(1, 400)  # milliseconds
            code = tell("work", folder, point, number)
            assert code in (0, -signal.SIGKILL), (point, number, code)
            if code:
                kills += 1
                passed[point] += 1
            else:
                reach[point] = max(1, number - 1)
        assert tell("end", folder, "none", 0) == 0
        found = check(folder)
        runs, duplicates = runs + found[0], duplicates + found[1]
        shutil.rmtree(folder)
        case += 1
    assert set(passed) == set(POINTS)
    with capsys.disabled():
        if IS_TORTURE:
            print(f"\n{kills} kills, {runs} runs, {duplicates} sent again, 0 lost")
            print(dict(passed))
