"""What ends a site's process ends all that it started: limits, signals, kills."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster

from cli.shell import environment
from processes import (
    PATIENCE,
    Family,
    descriptors,
    eventually,
    site_threads,
    sites,
    until,
)
from truthound.automation import AsyncPipelineExecutor, PipelineExecutor, PipelineRun
from truthound.automation._child import MARK, Child, threaded
from truthound.automation._spawner import Spawner

pytestmark = [
    pytest.mark.usefixtures("family"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]
# A site with children of every kind: in its group and out of it, with and without its
# output, all of them deaf to SIGTERM. $1 is touched when all of them are there.
TREE = """
trap '' TERM
sleep 61 &
(trap '' TERM; sleep 62) &
setsid sh -c "trap '' TERM; sleep 63" &
setsid sh -c "trap '' TERM; sleep 64" >/dev/null 2>&1 &
: >"$1"
sleep 65
"""


def tree(path: Path, **options: Any) -> dict[str, Any]:
    return sites(command=["sh", "-c", TREE, "sh", str(path)], **options)


def test_time_limit_ends_the_whole_tree(family: Family, tmp_path: Path) -> None:
    """p02: {slow: False, ok: True}, and no process is left."""
    script = f'[ "$TRUTHOUND_SITE" = ok ] && exit 0\n{TREE}'
    command = ["sh", "-c", script, "sh", str(tmp_path / "there")]
    config = sites(command=command, sites={"slow": {"timeout": 0.5}})

    for executor in (AsyncPipelineExecutor(config), PipelineExecutor(config)):
        if isinstance(executor, AsyncPipelineExecutor):
            results = asyncio.run(executor.run_all_async(["slow", "ok"]))
        else:
            results = executor.run_all(["slow", "ok"])
        assert results == {"slow": False, "ok": True}
        assert not family.left()
        assert executor.last_run is not None
        slow = executor.last_run.sites["slow"]
        assert slow.error == "not finished after 0.5 s"
        assert slow.last is not None
        assert (slow.last.signal, slow.last.exit_code) == ("SIGKILL", None)


def test_site_may_use_its_grace(tmp_path: Path) -> None:
    script = f"trap 'sleep 0.1; echo bye; touch {tmp_path}/tidy; exit 0' TERM\n"
    script += "sleep 60 & wait"
    executor = PipelineExecutor(sites(script, timeout=1, grace=20))

    executor.run_all(["a"])

    assert executor.last_run is not None
    site = executor.last_run.sites["a"]
    assert (site.outcome, site.error) == ("incomplete", "not finished after 1 s")
    assert site.last is not None
    assert (site.last.exit_code, site.last.output) == (0, "bye\n")
    assert (tmp_path / "tidy").exists()


def test_site_that_is_stopped_is_ended(family: Family) -> None:
    executor = PipelineExecutor(sites("kill -STOP $$", timeout=0.3))

    assert executor.run_all(["a"]) == {"a": False}


async def started(executor: AsyncPipelineExecutor, *paths: Path) -> asyncio.Task[Any]:
    """Return a run of one site that has made its files."""
    task = asyncio.create_task(executor.run_all_async(["a"]))
    await until(lambda: all(path.exists() for path in paths))
    return task


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_cancelled_run_ends_the_whole_tree(
    times: int, family: Family, tmp_path: Path
) -> None:
    grace = 0.3 if times == 1 else 60  # the second cancellation does not wait for it
    executor = AsyncPipelineExecutor(tree(tmp_path / "there", grace=grace))
    task = await started(executor, tmp_path / "there")
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.05)

    with pytest.raises(asyncio.CancelledError):
        await task

    assert not family.alive()
    assert executor.last_run is not None
    assert executor.last_run.interrupted
    site = executor.last_run.sites["a"]
    assert (site.outcome, site.error) == ("interrupted", "interrupted")
    assert site.last is not None
    assert site.last.signal == "SIGKILL"


async def test_second_attempt_that_is_interrupted_is_told(tmp_path: Path) -> None:
    script = f"echo x >>{tmp_path}/tries; [ $(wc -l <{tmp_path}/tries) -gt 1 ] && "
    script += f"touch {tmp_path}/second && exec sleep 60; exit 1"
    executor = AsyncPipelineExecutor(sites(script, retry_count=3))
    task = await started(executor, tmp_path / "second")

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert executor.last_run is not None
    site = executor.last_run.sites["a"]
    assert (site.outcome, site.error) == ("interrupted", "interrupted")
    assert [attempt.error for attempt in site.attempts] == [
        "exit code 1",
        "interrupted",
    ]


async def test_run_interrupted_in_a_pause_is_told() -> None:
    executor = AsyncPipelineExecutor(sites("exit 1", retry_count=3, retry_delay=50))
    task = asyncio.create_task(executor.run_all_async(["a", "b"]))
    await until(
        lambda: (
            executor.story
            and len(executor.story.active) == 2
            and all(site.waits for site in executor.story.active.values())
        )
    )

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert executor.last_run is not None
    for site in executor.last_run:
        assert site.outcome == "interrupted"
        assert site.error == "interrupted between two attempts (exit code 1)"
        assert len(site.attempts) == 1


async def test_sites_that_had_not_begun_are_told() -> None:
    executor = AsyncPipelineExecutor(sites("sleep 60", max_concurrent_sites=1))
    task = asyncio.create_task(executor.run_all_async(["a", "b", "c"]))
    await asyncio.sleep(0.1)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert executor.last_run is not None
    assert [site.error for site in executor.last_run][1:] == [
        "interrupted before it began"
    ] * 2


@pytest.mark.parametrize("when", range(16))
async def test_cancelled_at_every_turn_nothing_is_left(
    when: int, family: Family
) -> None:
    script = 'case "$TRUTHOUND_SITE" in b*) sleep 0.02; exit 1;; esac'
    before = descriptors()
    executor = AsyncPipelineExecutor(
        sites(script, retry_count=2, retry_delay=0.01, max_concurrent_sites=2)
    )
    task = asyncio.create_task(executor.run_all_async(["a", "b", "c"]))
    for _ in range(when):
        await asyncio.sleep(0.01 if when % 2 else 0)
    is_new = executor.last_run is None and executor.story is not None
    task.cancel()
    outcome = (await asyncio.gather(task, return_exceptions=True))[0]

    if isinstance(outcome, asyncio.CancelledError):
        assert (executor.last_run is not None) is (is_new or executor.story is not None)
    else:
        assert outcome == {"a": True, "b": False, "c": True}
    assert not family.alive()
    assert eventually(lambda: not site_threads())
    assert descriptors() == before


# ------------------------------------------------------------ kills from outside

PARENT = """\
import asyncio, sys
from truthound.automation import AsyncPipelineExecutor
config = {"command": ["sh", "-c", sys.argv[1], "sh", sys.argv[2]],
          "log_directory": None}
asyncio.run(AsyncPipelineExecutor(config).run_all_async(["a"]))
"""


def test_sites_end_when_their_program_is_killed(family: Family, tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PARENT, TREE, str(tmp_path / "there")],
        env=environment(),
    )
    with program:
        assert eventually((tmp_path / "there").exists)
        assert len(family.alive()) > 5
        program.kill()
    assert eventually(lambda: not family.alive())


def kill_servers(family: Family) -> None:
    """Kill the server, and a process that it is about to start."""
    for pid in family.alive():
        with contextlib.suppress(OSError):
            if b"_server.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)


def test_sites_are_tried_again_when_their_server_is_killed(
    family: Family, tmp_path: Path
) -> None:
    script = f"mkdir {tmp_path}/$TRUTHOUND_SITE 2>/dev/null && exec sleep 60; exit 0"
    executor = AsyncPipelineExecutor(
        sites(script, retry_count=5, max_concurrent_sites=2)
    )

    async def main() -> dict[str, bool]:
        task = asyncio.create_task(executor.run_all_async(["a", "b", "c"]))
        await until(lambda: len(list(tmp_path.glob("[ab]"))) == 2)
        kill_servers(family)
        await until((tmp_path / "c").exists)
        kill_servers(family)
        return await task

    assert asyncio.run(main()) == {"a": True, "b": True, "c": True}
    assert executor.last_run is not None
    for site in executor.last_run:
        assert len(site.attempts) > 1
        for attempt in site.attempts[:-1]:
            assert attempt.error is not None
            assert attempt.error.startswith(("its process was lost", "not started: "))


def test_site_whose_server_was_killed_leaves_nothing(
    family: Family, tmp_path: Path
) -> None:
    executor = AsyncPipelineExecutor(tree(tmp_path / "there"))

    async def main() -> dict[str, bool]:
        task = await started(executor, tmp_path / "there")
        kill_servers(family)
        return await task

    assert asyncio.run(main()) == {"a": False}
    assert not family.left()  # nobody is there to wait for them: in a moment


NESTED = """\
import asyncio, sys
from truthound.automation import AsyncPipelineExecutor
inner = {"command": ["sh", "-c", sys.argv[1], "sh", sys.argv[2]],
         "log_directory": None, "grace": 60}
asyncio.run(AsyncPipelineExecutor(inner).run_all_async(["inner"]))
"""


async def test_pipelines_of_a_site_end_with_it(family: Family, tmp_path: Path) -> None:
    there = tmp_path / "there"
    command = [sys.executable, "-c", NESTED, TREE, str(there)]
    executor = AsyncPipelineExecutor(
        sites(command=command, environment={"PYTHONPATH": environment()["PYTHONPATH"]})
    )
    task = await started(executor, there)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert not family.alive()


def test_every_process_of_a_site_carries_its_mark() -> None:
    executor = PipelineExecutor(sites(f"env | grep {MARK}"))

    executor.run_all(["a", "b"])

    assert executor.last_run is not None
    outputs = {site.last.output for site in executor.last_run if site.last}
    assert len(outputs) == 2
    assert all(output.startswith(f"{MARK}=") for output in outputs)


# ----------------------------------------------------- starts that do not happen


class Refusing:
    """Starts a server, but not the first few times."""

    def __init__(self, number: int, times: int) -> None:
        self.number = number
        self.times = times
        self.calls = 0

    def __call__(self, *args: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls <= self.times:
            raise OSError(self.number, os.strerror(self.number))
        return subprocess.Popen(*args, **options)


def ran(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, popen: Any) -> Any:
    monkeypatch.setattr(
        Spawner.__init__,
        "__kwdefaults__",
        {**Spawner.__init__.__kwdefaults__, "popen": popen},
    )
    executor = AsyncPipelineExecutor(config)
    asyncio.run(executor.run_all_async(["a"]))
    assert executor.last_run is not None
    return executor.last_run.sites["a"]


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EMFILE, errno.ENOMEM])
def test_start_that_fails_for_now_is_tried_again(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = ran(sites(retry_count=3), monkeypatch, Refusing(number, 2))

    reason = f"not started: {os.strerror(number)}"
    assert [attempt.error for attempt in site.attempts] == [reason, reason, None]
    assert site.success


def test_start_that_can_never_be_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    popen = Refusing(errno.ENOENT, 9)

    site = ran(sites(retry_count=3), monkeypatch, popen)

    assert (site.outcome, len(site.attempts), popen.calls) == ("incomplete", 1, 1)


@pytest.fixture
def may_block() -> Iterator[None]:
    """Let the package hold up the loop."""
    blockbuster._skip.value = True
    yield
    blockbuster._skip.value = False


@pytest.mark.usefixtures("may_block")
def test_without_threads_nothing_is_started_and_nothing_left(
    monkeypatch: pytest.MonkeyPatch, family: Family
) -> None:
    """The machine has no thread to give: first for a time, then for good."""
    meant = threading.Thread.start
    calls = {"left": 1}

    def start(self: threading.Thread) -> None:
        if self.name == "pipeline-site":
            calls["left"] -= 1
            if calls["left"] >= 0:
                raise RuntimeError("can't start new thread")
        meant(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    executor = AsyncPipelineExecutor(sites(retry_count=2))
    assert asyncio.run(executor.run_all_async(["a"])) == {"a": True}
    calls["left"] = 99
    assert asyncio.run(executor.run_all_async(["a"])) == {"a": False}
    assert executor.last_run is not None
    error = executor.last_run.sites["a"].error
    assert error == "not started: can't start new thread"


@pytest.mark.usefixtures("may_block")
def test_server_ends_although_there_is_no_thread_to_end_it(
    monkeypatch: pytest.MonkeyPatch, family: Family
) -> None:
    from truthound.automation import async_pipeline_executor

    async def refused(*args: Any) -> None:
        raise OSError(errno.EAGAIN, "can't start new thread")

    monkeypatch.setattr(async_pipeline_executor, "threaded", refused)
    executor = AsyncPipelineExecutor(sites())

    assert asyncio.run(executor.run_all_async(["a"])) == {"a": True}
    assert not family.alive()


def test_each_start_that_fails_gives_everything_back(tmp_path: Path) -> None:
    """os.pipe, the socket and the server fail, one after the other."""
    before = descriptors()
    with Spawner(tmp_path) as spawner:
        for module, name in (("os", "pipe"), ("socket", "socketpair")):
            for fail in range(1, 5):
                patch = pytest.MonkeyPatch()
                calls = {"n": 0}
                meant = getattr(sys.modules[module], name)

                def faulty(
                    meant: Any = meant, fail: int = fail, calls: Any = calls
                ) -> Any:
                    calls["n"] += 1
                    if calls["n"] == fail:
                        raise OSError(errno.EMFILE, "Too many open files")
                    return meant()

                patch.setattr(f"{module}.{name}", faulty)
                with contextlib.suppress(OSError):
                    child(spawner, "exit 0").run_blocking()
                patch.undo()
    assert descriptors() == before


def test_site_is_judged_although_nobody_can_be_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def listdir(path: str) -> list[str]:
        raise OSError(errno.EMFILE, "Too many open files")

    executor = PipelineExecutor(sites("setsid sleep 60 & exit 5"))
    with monkeypatch.context() as patch:
        patch.setattr("truthound.automation._child.os.listdir", listdir)
        executor.run_all(["a"])

    assert executor.last_run is not None
    assert executor.last_run.sites["a"].error == "exit code 5"


def child(spawner: Spawner, script: str, **options: Any) -> Child:
    return Child(
        spawner,
        ["sh", "-c", script],
        {},
        **{
            "seconds": 60,
            "grace": 0.3,
            "begin": lambda: None,
            "sink": lambda piece: None,
            **options,
        },
    )


@pytest.mark.parametrize(
    ("argv", "env"),
    [
        (["sh", "-c", "exit 0\0"], {}),
        (["sh", "-c", "exit 0", "\ud800"], {}),
        (["sh", "-c", "exit 0"], {"A\0": "1"}),
        (["sh", "-c", "exit 0"], {"A": "\ud800"}),
        (["sh", "-c", "exit 0", "x" * 10_000_000], {}),
        (["./nothing-here"], {}),
        (["/etc"], {}),
    ],
    ids=["nul", "surrogate", "nul in name", "surrogate in value", "long", "gone", "no"],
)
def test_what_cannot_be_started_fails_alone(
    argv: list[str], env: dict[str, str], tmp_path: Path
) -> None:
    options: dict[str, Any] = {
        "seconds": 60,
        "grace": 1,
        "begin": lambda: None,
        "sink": lambda piece: None,
    }
    with Spawner(tmp_path) as spawner:
        held = child(spawner, "read x; exit 7")
        ended: list[Any] = []
        thread = threading.Thread(target=lambda: ended.append(held.run_blocking()))
        thread.start()
        with pytest.raises(OSError):
            Child(spawner, argv, env, **options).run_blocking()
        thread.join()
    assert ended[0].code == 7  # it had nothing to do with that


def test_child_that_is_given_up_before_its_start_ends(tmp_path: Path) -> None:
    with Spawner(tmp_path) as spawner:
        one = child(spawner, "sleep 60")
        one.stop()
        assert one.run_blocking().by == "stopped"
        other = child(spawner, "trap '' TERM; sleep 60")
        other.kill()
        assert other.run_blocking().signal == signal.SIGKILL


def test_blocked_signals_of_the_program_are_no_matter(tmp_path: Path) -> None:
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1}
    )
    try:
        with Spawner(tmp_path) as spawner:
            assert child(spawner, "exit 4").run_blocking().code == 4
            slow = child(spawner, "sleep 60", seconds=0.2, grace=60)
            assert slow.run_blocking().signal == signal.SIGTERM
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_process_has_nothing_of_ours_open(tmp_path: Path) -> None:
    printed: list[bytes] = []
    with (tmp_path / "ours").open("w") as ours, Spawner(tmp_path) as spawner:
        os.set_inheritable(ours.fileno(), True)
        child(spawner, "ls -l /proc/self/fd", sink=printed.append).run_blocking()

    text = b"".join(printed).decode()
    opened = [line.split(" -> ")[1] for line in text.splitlines() if " -> " in line]
    assert "/dev/null" in opened
    assert not [path for path in opened if "socket" in path or "ours" in path]
    assert len(opened) <= 4  # ls reads the folder


async def test_work_on_a_thread_is_waited_for_whatever_comes() -> None:
    go = threading.Event()
    interrupts: list[str] = []
    steps = (lambda: interrupts.append("stop"), lambda: interrupts.append("kill"))
    task = asyncio.create_task(threaded(lambda: go.wait(PATIENCE), steps))
    for _ in range(3):
        await asyncio.sleep(0.01)
        task.cancel()
    await asyncio.sleep(0.01)
    assert not task.done()

    go.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert interrupts == ["stop", "kill", "kill"]


async def test_what_the_work_raises_is_raised() -> None:
    def work() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        await threaded(work)


@pytest.mark.parametrize("wrong", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_of_the_blocking_executor_ends_the_tree(
    wrong: signal.Signals, family: Family, tmp_path: Path
) -> None:
    """As the command line does it: a handler that raises."""
    executor = PipelineExecutor(tree(tmp_path / "there"))

    def handler(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    def interrupt() -> None:
        eventually((tmp_path / "there").exists)
        os.kill(os.getpid(), wrong)

    before = signal.signal(wrong, handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            executor.run_all(["a", "b"])
    finally:
        thread.join()
        signal.signal(wrong, before)

    assert not family.alive()
    story: PipelineRun | None = executor.last_run
    assert story is not None
    assert [site.error for site in story] == [
        "interrupted",
        "interrupted before it began",
    ]
