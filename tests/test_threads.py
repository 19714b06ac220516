"""Threads for blocking work: order, giving up, and the end of the process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import wait
from typing import Any

import pytest

from truthound._threads import Workers


def test_never_more_at_once_than_its_size() -> None:
    workers = Workers(3, "truthound-test")
    lock, running, most = threading.Lock(), 0, 0
    step = threading.Barrier(3)

    def work(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if number < 3:
            step.wait(20)
        with lock:
            running -= 1
        return number

    futures = [workers.submit(lambda n=n: work(n)) for n in range(30)]

    assert [future.result(20) for future in futures] == list(range(30))
    assert most == 3


def test_an_idle_thread_is_used_again() -> None:
    workers = Workers(8, "truthound-test")
    names = set()
    for _ in range(20):
        names.add(workers.submit(lambda: threading.current_thread().name).result(20))
    assert len(names) <= 2  # a thread may not be waiting again yet


def test_exceptions_reach_whoever_waits() -> None:
    workers = Workers(1, "truthound-test")

    def fail() -> None:
        raise LookupError("x")

    with pytest.raises(LookupError):
        workers.submit(fail).result(20)
    assert workers.submit(lambda: 1).result(20) == 1


def test_a_job_that_is_given_up_frees_its_place() -> None:
    workers = Workers(1, "truthound-test")
    started, release = threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        release.wait(20)

    stuck = workers.submit(hang)
    started.wait(20)
    behind = workers.submit(lambda: "ran")
    never = workers.submit(lambda: "must not run")
    workers.give_up(never)
    workers.give_up(stuck)

    assert behind.result(20) == "ran"
    assert never.cancelled()
    release.set()
    wait([stuck], 20)
    assert workers.submit(lambda: "still works").result(20) == "still works"


def test_giving_up_what_has_ended_changes_nothing() -> None:
    workers = Workers(1, "truthound-test")
    for _ in range(50):
        done = workers.submit(lambda: 1)
        done.result(20)
        workers.give_up(done)
    assert workers._alive == 1


def test_a_hung_job_does_not_hold_up_the_exit() -> None:
    code = (
        "import time, truthound, polars as pl\n"
        "def hang():\n"
        "    time.sleep(600)\n"
        "cp = truthound.Checkpoint('x', data_source=hang, validators=['null'],"
        " timeout_seconds=0.2)\n"
        "print(cp.run().status)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=25
    )
    assert done.stdout.strip() == "error", done.stderr
    assert done.returncode == 0


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_child_makes_threads_of_its_own() -> None:
    workers = Workers(2, "truthound-test")
    assert workers.submit(lambda: 1).result(20) == 1

    child = os.fork()
    if child == 0:  # no assert here: the child must not run pytest's own exit
        answer = workers.submit(lambda: 7).result(10)
        os._exit(0 if answer == 7 else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_job_never_waits_behind_another_while_threads_are_to_be_had() -> None:
    """A thread that had taken a job counted as waiting until it said so."""
    workers = Workers(2, "truthound-test")
    for _ in range(3_000):
        release = threading.Event()
        begun = threading.Barrier(3)

        def hold(release: threading.Event = release, begun: Any = begun) -> None:
            begun.wait(10)
            release.wait(10)

        futures = [workers.submit(hold), workers.submit(hold)]
        begun.wait(10)  # both have begun, although neither has ended
        release.set()
        for future in futures:
            future.result(10)
