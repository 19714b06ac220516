"""Every code block of the document behind `async_core` runs as it is written.

Import names are mapped as the contract says, and the address of its examples is that of
a server on this machine. What a block takes from its reader (a task, some data) is
handed in below; which block is which is told by its heading.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripted_server import Received, reply, serving
from telemetry_reader import Recorded
from truthound import async_core

DOCUMENT = Path(__file__).parent.parent / "spec" / "async-core.md"
MAPPED = {
    "specify_cli.core.telemetry": "truthound.telemetry",
    "specify_cli.async_core": "truthound.async_core",
}
PATIENCE = 20  # seconds, until something counts as hanging


def blocks() -> list[tuple[str, str]]:
    """Return the Python blocks, each with the heading above it."""
    found, heading, lines = [], "", None
    for line in DOCUMENT.read_text("utf-8").splitlines():
        if lines is not None and line == "```":
            found.append((heading, "\n".join(lines)))
            lines = None
        elif lines is not None:
            lines.append(line)
        elif line == "```python":
            lines = []
        elif line.startswith("#"):
            heading = line.lstrip("# ")
    return found


BLOCKS = blocks()


class Reader:
    """What the document's reader has at hand."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.closed: list[Any] = []
        self.printed: list[str] = []

    def has(self) -> dict[str, Any]:
        async def value(*arguments: Any) -> Any:
            return arguments[0] if arguments else "done"

        app = types.SimpleNamespace(command=lambda: lambda function: function)
        return {
            "asyncio": asyncio,
            "task": value,
            "fetch_data": value,
            "critical_task": value,
            "normal_task": value,
            "background_task": value,
            "create_connection": value,
            "close_connection": self.closed.append,
            "use_resource": value,
            "async_function": value,
            "my_async_function": value,
            "expected_value": "done",
            "url": self.url,
            "data": list(range(1, 301)),
            "transform": lambda x: x * 2,
            "predicate": lambda x: x % 3 == 0,
            "app": app,
            "typer": types.SimpleNamespace(echo=self.printed.append),
            "process": lambda data: data,
            "runtime": types.SimpleNamespace(fetch_url=value),
        }


def run(code: str, names: dict[str, Any]) -> None:
    """Run a block, in a loop if it awaits something itself."""
    for name, ours in MAPPED.items():
        code = code.replace(name, ours)
    compiled = compile(
        code, str(DOCUMENT), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    )
    outcome = eval(compiled, names)  # the document's own code
    if inspect.iscoroutine(outcome):
        asyncio.run(outcome)


# What holds after the block under a heading has run.
OUTCOMES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "1. runner.py - Task Execution and Scheduling": lambda n: n["result"] == "done",
    "2. streams.py - Data Streaming": lambda n: n["result"] == [6, 8, 10],
    "3. http.py - HTTP Client": lambda n: n["response"].json() == {"rows": 3},
    "4. file.py - File Operations": lambda n: Path("output.txt").read_text() == "in",
    "Basic Async Function": lambda n: callable(n["main"]),
    "Async HTTP Requests": lambda n: n["result"] == {"rows": 3},
    "Stream Processing": lambda n: n["results"] == [6, 8, 10],
    "1. Concurrent Task Execution": lambda n: n["results"] == ["url1", "url2", "url3"],
    "2. Priority-Based Scheduling": lambda n: n["runner"].stats().completed == 3,
    "3. Resource Pooling": lambda n: n["pool"].stats().idle == 1,
    "4. Circuit Breaker": lambda n: n["breaker"].state == "closed",
    "5. Retry Logic": lambda n: n["response"].status_code == 200,
    "6. Stream Transformations": lambda n: (
        n["result"] == [[x * 2 for x in n["data"] if x % 3 == 0]]
    ),
    "7. Pipeline Composition": lambda n: (
        n["results"] == [x * 2 for x in n["data"] if x * 2 > 50]
    ),
    "Three-Tier Architecture": lambda n: (
        asyncio.run(n["fetch_url"](n["url"])) == {"rows": 3}
    ),
    "Telemetry Integration": lambda n: (
        asyncio.run(n["monitored_operation"]()) == "done"
    ),
    "Writing Async Tests": lambda n: asyncio.run(n["test_async_function"]()) is None,
}


# The lists of the document's chapter "Modules".
NAMES = {
    "runner": """AsyncRunner TaskScheduler ResourcePool TaskPriority async_run
        async_timeout async_background""",
    "streams": """AsyncStream AsyncQueue AsyncPipeline async_map async_filter
        async_batch async_window async_merge""",
    "http": """AsyncHTTPClient RetryPolicy CircuitBreaker CircuitState async_download
        async_upload async_batch_requests""",
    "file": """AsyncFileReader AsyncFileWriter AsyncDirectoryWatcher async_read_file
        async_write_file async_copy_file walk_async async_file_exists async_mkdir""",
}


@pytest.mark.parametrize("module", NAMES)
def test_names_are_where_the_document_imports_them(module: str) -> None:
    home = __import__(f"truthound.async_core.{module}", fromlist=["__all__"])
    for name in NAMES[module].split():
        assert getattr(home, name) is getattr(async_core, name)
        assert name in home.__all__
        assert name in async_core.__all__


def test_every_block_has_an_outcome() -> None:
    assert [heading for heading, _ in BLOCKS] == list(OUTCOMES)


@pytest.mark.parametrize(("heading", "code"), BLOCKS, ids=[h for h, _ in BLOCKS])
def test_block(
    heading: str,
    code: str,
    server_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("input.txt").write_text("in", encoding="utf-8")
    reader = Reader(server_url, Path.cwd())
    # Later blocks use what earlier ones have imported, and their runner.
    imported = {name: getattr(async_core, name) for name in async_core.__all__}
    names = {
        **imported,
        **reader.has(),
        "runner": async_core.AsyncRunner(),
        "__name__": "__main__",
    }
    operations = types.ModuleType("specify_cli.ops")
    operations.async_operations = types.SimpleNamespace(  # type: ignore[attr-defined]
        fetch_data=names["fetch_data"]
    )
    monkeypatch.setitem(sys.modules, "specify_cli", types.ModuleType("specify_cli"))
    monkeypatch.setitem(sys.modules, "specify_cli.ops", operations)
    recorded = Recorded()

    run(code.replace("https://api.example.com", server_url), names)

    assert OUTCOMES[heading](names)
    if heading == "Basic Async Function":
        assert capsys.readouterr().out == f"{[n * 2 for n in range(10)]}\n"
    if heading == "Three-Tier Architecture":
        names["fetch_command"]("some address")
        assert reader.printed == ["some address"]
    if heading == "Telemetry Integration":
        span = recorded.span("operation.name")
        assert span.attributes == {"operation_type": "async"}


@pytest.fixture
def server_url() -> Any:
    """Serve from a thread of its own: some blocks bring their own event loop."""
    import threading

    ready: list[str] = []
    begun, end = threading.Event(), threading.Event()

    def answer(_: Received) -> bytes:
        return reply(200, b'{"rows": 3}', content_type="application/json")

    async def serve() -> None:
        async with serving(answer) as server:
            ready.append(server.url)
            begun.set()
            while not end.is_set():  # noqa: ASYNC110 - it comes from another thread
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert begun.wait(PATIENCE)
    yield ready[0]
    end.set()
    thread.join(PATIENCE)
