"""Every code block of the document behind this package runs as it is written.

In both of its languages. What a block takes from its reader (actions, a result, a
config class) is handed in below; addresses lead to a server on this machine.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import aiohttp
import polars as pl
import pytest

import truthound.checkpoint.actions.slack  # noqa: F401 - read from the disk only here
from scripted_server import Received, reply, serving
from truthound.checkpoint import (
    AsyncCheckpointRunner,
    Checkpoint,
    CheckpointPool,
    CheckpointResult,
)
from truthound.checkpoint.async_base import (
    ActionConfig,
    ActionResult,
    ActionStatus,
    AsyncBaseAction,
    AsyncExecutable,
    SyncActionAdapter,
    SyncExecutable,
    TriggerConfig,
    TriggerResult,
    adapt_to_async,
)
from truthound.checkpoint.registry import REGISTRY, register_checkpoint

PATIENCE = 20  # seconds, until something counts as hanging
LANGUAGES = ("checkpoint-async.md", "checkpoint-async.ko.md")


def blocks(document: str) -> list[str]:
    """Return the Python blocks of a document."""
    path = Path(__file__).parent.parent / "spec" / document
    found, lines = [], None
    for line in path.read_text("utf-8").splitlines():
        if lines is not None and line == "```":
            found.append("\n".join(lines))
            lines = None
        elif lines is not None:
            lines.append(line)
        elif line == "```python":
            lines = []
    return found


BLOCKS = {language: blocks(language) for language in LANGUAGES}
NUMBER = len(BLOCKS[LANGUAGES[0]])


@dataclass
class MyConfig(ActionConfig):
    url: str = ""


@dataclass
class MyTriggerConfig(TriggerConfig):
    topic: str = "rides"


class Consumer:
    """Has three messages, then none."""

    def __init__(self) -> None:
        self.messages = ["a", "b", "c"]

    async def poll(self) -> str | None:
        await asyncio.sleep(0)
        return self.messages.pop(0) if self.messages else None


class Note(AsyncBaseAction):
    """An action that notes what it is given."""

    action_type = "note"
    seen: list[str]

    async def _execute_async(self, checkpoint_result: Any) -> ActionResult:
        await asyncio.sleep(0)
        self.seen.append(self.name)
        return self.result("success")


def rides(name: str) -> Checkpoint:
    return Checkpoint(
        name, data_source=pl.DataFrame({"id": [1, 2, 3]}), validators=["null"]
    )


@pytest.fixture
def server() -> Iterator[list[Received]]:
    """Serve from a thread of its own: some blocks bring their own event loop."""
    ready: list[Any] = []
    begun, end = threading.Event(), threading.Event()

    async def serve() -> None:
        def answer(_: Received) -> bytes:
            return reply(200, b'{"ok": true}', content_type="application/json")

        async with serving(answer) as running:
            ready.append(running)
            begun.set()
            while not end.is_set():  # noqa: ASYNC110 - it comes from another thread
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert begun.wait(PATIENCE)
    yield ready
    end.set()
    thread.join(PATIENCE)


class Page:
    """A document that is being read: its names, and what its blocks do."""

    def __init__(self, language: str, url: str) -> None:
        self.blocks = BLOCKS[language]
        self.url = url
        self.seen: list[str] = []
        self.notes = [Note(name=f"a{n}") for n in range(5)]
        for note in self.notes:
            note.seen = self.seen
        cp1, cp2, cp3 = map(rides, ("cp1", "cp2", "cp3"))
        my = rides("my_checkpoint")
        register_checkpoint(my)
        self.names: dict[str, Any] = {
            "__name__": "document",
            "asyncio": asyncio,
            "aiohttp": aiohttp,
            "Protocol": Protocol,
            "runtime_checkable": runtime_checkable,
            "ThreadPoolExecutor": ThreadPoolExecutor,
            "CheckpointPool": CheckpointPool,
            "MyConfig": MyConfig,
            "MyTriggerConfig": MyTriggerConfig,
            "ActionResult": ActionResult,
            "ActionStatus": ActionStatus,
            "TriggerResult": TriggerResult,
            "payload": {"n": 1},
            "url": url,
            "actions": self.notes,
            "result": cp1.run(),
            "checkpoint_result": cp1.run(),
            "checkpoint": cp1,
            "checkpoint1": cp1,
            "checkpoint2": cp2,
            "cp1": cp1,
            "cp2": cp2,
            "cp3": cp3,
            "my_checkpoint": my,
            "do_work": lambda: asyncio.sleep(0, "work"),
            **{f"action{n}": self.notes[n] for n in range(1, 4)},
            **{f"a{n}": self.notes[n] for n in range(5)},
        }

    def run(self, number: int, **replaced: str) -> dict[str, Any]:
        """Run a block in a copy of the names; in a loop if it awaits something."""
        code = self.blocks[number].replace(
            'webhook_url="..."', f'webhook_url="{self.url}"'
        )
        for old, new in replaced.items():
            code = code.replace(old, new)
        compiled = compile(code, "document", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        names = dict(self.names)
        outcome = eval(compiled, names)  # the document's own code
        if inspect.iscoroutine(outcome):
            asyncio.run(outcome)
        return names


def number_of(text: str) -> int:
    """Return the number of the first block with a text in it."""
    return next(n for n, b in enumerate(BLOCKS[LANGUAGES[0]]) if text in b)


@pytest.fixture(params=LANGUAGES)
def page(request: pytest.FixtureRequest, server: list[Any]) -> Iterator[Page]:
    yield Page(request.param, server[0].url)
    REGISTRY.clear()


def test_both_languages_have_the_same_blocks() -> None:
    def names(language: str) -> list[set[str]]:
        return [
            {
                ast.dump(node)
                for node in ast.parse(block).body
                if isinstance(node, ast.ImportFrom)
            }
            for block in BLOCKS[language]
        ]

    assert names(LANGUAGES[0]) == names(LANGUAGES[1])
    assert NUMBER == 23


def test_action(page: Page, server: list[Any]) -> None:
    action = page.run(number_of("class MyAsyncAction"))["MyAsyncAction"]

    made = action(url=page.url)
    ended = asyncio.run(made.execute_async(page.names["result"]))

    assert isinstance(made, AsyncExecutable)
    assert ended.status == "success", ended
    assert (ended.action_name, ended.action_type) == ("my_async_action",) * 2
    assert server[0].requests[-1].body == b'{"n": 1}'


@pytest.mark.parametrize("pace", [0.01, 0.2])
def test_trigger(page: Page, pace: float) -> None:
    trigger = page.run(number_of("class MyAsyncTrigger"))["MyAsyncTrigger"]()
    trigger._consumer = Consumer()
    checkpoint = rides("messages").add_trigger(trigger)

    async def main() -> list[CheckpointResult]:
        errors: list[Exception] = []
        runner = AsyncCheckpointRunner(
            trigger_poll_interval=pace, error_callback=errors.append
        )
        async with runner.add_checkpoint(checkpoint):
            found = [r async for r in runner.iter_results_async(timeout=pace * 5 + 1.5)]
        assert not errors
        return found

    results = asyncio.run(main())

    assert [result.status for result in results] == ["success"] * 3
    assert trigger.run_count == 3


def test_protocols(page: Page) -> None:
    names = page.run(number_of("class AsyncExecutable"))
    assert isinstance(page.notes[0], names["AsyncExecutable"])
    names = page.run(number_of("class SyncExecutable"))
    assert isinstance(SyncAction(), names["SyncExecutable"])
    assert isinstance(SyncAction(), SyncExecutable)
    assert not isinstance(SyncAction(), AsyncExecutable)


class SyncAction:
    name = "sync"

    def execute(self, checkpoint_result: Any) -> ActionResult:
        return ActionResult("sync", "sync", ActionStatus.SUCCESS)


def test_adapter(page: Page, server: list[Any]) -> None:
    broken = page.names["result"]
    broken.status = "failure"
    page.names["checkpoint_result"] = broken

    names = page.run(number_of("SyncActionAdapter(sync_action)"))

    assert len(server[0].requests) == 1
    assert names["async_action"].name == "slack_notification"
    assert callable(SyncActionAdapter(names["sync_action"]).execute_async)


def test_adapter_with_an_executor(page: Page) -> None:
    page.names["sync_action"] = SyncAction()
    page.names["adapt_to_async"] = adapt_to_async

    names = page.run(number_of("Use custom executor"))

    with names["executor"]:
        ended = asyncio.run(names["async_action"].execute_async(names["result"]))
    assert ended.status == "success"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("strategy = SequentialStrategy()", ["a1", "a2", "a3"]),
        ("strategy = ConcurrentStrategy(max_concurrency=5)\n\nresults",
         ["a0", "a1", "a2", "a3", "a4"]),
        ("stages=[[0, 1], [2], [3, 4]]", ["a0", "a1", "a2", "a3", "a4"]),
    ],
)  # fmt: skip
def test_strategies(page: Page, text: str, names: list[str]) -> None:
    results = page.run(number_of(text))["results"]

    assert [ended.action_name for ended in results] == names
    assert {ended.status for ended in results} == {"success"}
    assert sorted(page.seen) == names


def test_context(page: Page) -> None:
    from truthound.checkpoint.async_base import ConcurrentStrategy

    page.names["strategy"] = ConcurrentStrategy()
    assert len(page.run(number_of("async with context:"))["results"]) == 5


def test_runner(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    """The block streams until somebody stops the runner: after the first result."""
    from truthound.checkpoint.triggers import ScheduleTrigger

    page.names["checkpoint1"].add_trigger(ScheduleTrigger(interval_hours=1))
    number = number_of("config = AsyncRunnerConfig(")
    line = '    print(f"Result: {result.status}")'
    assert line in page.blocks[number]
    code = page.blocks[number].replace(line, f"{line}\n    await runner.stop_async()")
    page.blocks = [*page.blocks[:number], code, *page.blocks[number + 1 :]]

    names = page.run(number)

    assert capsys.readouterr().out == "Completed: cp1\nResult: success\n"
    assert names["runner"].running is False
    assert set(names["runner"].checkpoints) == {"cp1", "cp2"}


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("run_once_async(checkpoint, context",
         lambda n: n["result"].metadata == {"key": "value"}),
        ("run_all_async(context=", lambda n: (
            [r.metadata for r in n["results"]] == [{"shared": "data"}] * 1)),
        ("stats = runner.get_stats()", lambda n: n["stats"]["checkpoints"] == 1),
        ("result = await run_checkpoint_async(checkpoint, context",
         lambda n: n["result"].metadata == {"key": "value"}),
        ("results = await run_checkpoints_parallel(\n    checkpoints=[cp1, cp2, cp3]",
         lambda n: [r.checkpoint_name for r in n["results"]] == ["cp1", "cp2", "cp3"]),
        ("async with CheckpointPool(workers=10) as pool", lambda n: (
            n["result"].success and len(n["results"]) == 3)),
        ("await pool.start()", lambda n: n["result"].success),
    ],
)  # fmt: skip
def test_running(page: Page, text: str, outcome: Callable[[Any], bool]) -> None:
    runner = AsyncCheckpointRunner()
    page.names["runner"] = runner.add_checkpoint(page.names["my_checkpoint"])

    assert outcome(page.run(number_of(text)))


def test_statistics_are_printed(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    page.names["runner"] = AsyncCheckpointRunner()
    page.run(number_of("stats = runner.get_stats()"))
    assert capsys.readouterr().out == (
        "Running: False\nCheckpoints: 0\nPending tasks: 0\nQueued results: 0\n"
    )


def test_retry(page: Page, server: list[Any]) -> None:
    names = page.run(number_of("@with_retry"))
    assert asyncio.run(names["fetch_data"]()) == {"ok": True}


def test_timeout(page: Page) -> None:
    number = number_of("@with_timeout")
    names = page.run(number, **{"seconds=30.0": "seconds=0.05"})
    with pytest.raises(TimeoutError, match=r"slow_operation took longer than 0.05 s"):
        asyncio.run(names["slow_operation"]())


def test_semaphore(page: Page) -> None:
    names = page.run(number_of("@with_semaphore"))
    assert asyncio.run(names["limited_operation"]()) is None


def test_mixture(page: Page, server: list[Any]) -> None:
    def webhook(url: str) -> Note:
        made = Note(url=url)
        made.seen = page.seen
        return made

    page.names["MyAsyncWebhook"] = webhook
    page.names["checkpoint_result"].status = "error"
    mixed = NUMBER - 1
    page.blocks = [
        *page.blocks[:mixed],
        "from truthound.checkpoint.actions import SlackNotification\n"
        + page.blocks[mixed].replace(
            'MyAsyncWebhook(url="...")', "MyAsyncWebhook('x')"
        ),
    ]

    results = page.run(mixed)["results"]

    assert [ended.status for ended in results] == ["success", "success"]
    assert len(server[0].requests) == 1


def test_complete_example_ends_by_itself(
    page: Page,
    server: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Unchanged: it writes to the folder it is run in, and ends after five seconds."""
    monkeypatch.setenv("SLACK_WEBHOOK", page.url)
    frame = pl.DataFrame({"id": [1, 2, None], "fare": [1.5, 2.5, 3.5]})
    frame.write_csv("data.csv")
    frame.write_parquet("data.parquet")
    number = number_of("class AsyncWebhookAction(AsyncBaseAction)")

    page.run(number)

    printed = capsys.readouterr().out.splitlines()
    daily = (
        "daily_data_validation"
        if "data_validation" in page.blocks[number]
        else ("daily_validation")
    )
    assert sorted(printed[:2]) == [f"Done: {daily}", "Done: hourly_validation"]
    # A third of the column is missing: high, which is a warning.
    assert printed[2:] == ["Completed: warning", "hourly_validation: warning"]
    assert len(server[0].requests) == 2  # each run of the checkpoint told Slack
