"""A store that is not as it was left, who may read it, and what must not be in it."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli.shell import environment
from probes import Act, checkpoint
from store_records import run, states
from truthound.checkpoint.actions import WebhookAction
from truthound.errors import StoreError
from truthound.secrets import Secret
from truthound.store import Store


def filled(number: int = 1, place: str = "s.db") -> None:
    """Make a store with some runs."""
    with Store(place) as store:
        for n in range(number):
            asyncio.run(store.accept([run(f"{place}{n}{os.urandom(4).hex()}")]))


def cut(size: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, size)


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name text)")
    connection.close()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty": (cut(0), "empty file.*remove it"),
    "header": (cut(100), "damaged.*truthound store"),
    "half": (lambda p: os.truncate(p, p.stat().st_size // 2), "damaged|malformed"),
    "garbage": (lambda p: p.write_bytes(os.urandom(9_000)), "damaged.*truthound store"),
    "text": (lambda p: p.write_text("a, b\n" * 999), "damaged.*truthound store"),
    "folder": (folder, "no file"),
    "foreign": (foreign, "no store of truthound; name another"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_said_and_left_as_it_is(damage: str) -> None:
    filled(3)
    path = Path("s.db")
    Path("s.db-mark").unlink()
    do, said = DAMAGES[damage]
    do(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=said) as caught, Store(path) as store:
        states(store)
    assert "s.db" in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_command_line_shows_no_traceback(damage: str) -> None:
    filled(3)
    DAMAGES[damage][0](Path("s.db"))
    Path("d.csv").write_text("a\n1\n")
    shown = subprocess.run(
        [sys.executable, "-m", "truthound", "check", "d.csv"],
        env={**environment(), "TRUTHOUND_STORE": "s.db"},
        capture_output=True,
        text=True,
        timeout=25,
    )
    assert "Traceback" not in shown.stdout + shown.stderr
    assert shown.returncode == 3  # the data was looked at, and nothing recorded
    assert "nothing is recorded" in shown.stderr


@pytest.mark.parametrize("rest", ["-wal", "-mark"])
def test_a_file_that_is_gone_with_something_left_is_not_begun_anew(rest: str) -> None:
    filled()
    for path in Path().glob("s.db*"):
        path.unlink()
    Path(f"s.db{rest}").write_bytes(b"\1" * 8)
    with pytest.raises(StoreError, match=f"s.db{rest} is.*put it back, or remove"):
        Store("s.db").open()
    assert not Path("s.db").exists()


@pytest.mark.parametrize("how", ["older copy", "no wal"])
def test_commits_that_are_missing_are_told(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    filled()
    shutil.copy("s.db", "copy.db")
    if how == "older copy":
        filled(2)
        shutil.copy("copy.db", "s.db")
    else:
        program = (
            "import asyncio, os, sys; sys.path.insert(0, sys.argv[1])\n"
            "from store_records import run\n"
            "from truthound.store import Store\n"
            "store = Store('s.db').open()\n"
            "for n in range(2): asyncio.run(store.accept([run(str(n))]))\n"
            "os._exit(0)\n"
        )
        tests = str(Path(__file__).parents[1])
        subprocess.run(
            [sys.executable, "-c", program, tests],
            env={**environment(), "PYTHONPATH": tests},
            check=True,
        )
        Path("s.db-wal").unlink()
        Path("s.db-shm").unlink()
    assert not caplog.text
    with Store("s.db") as store:
        assert len(states(store)) == 1
    assert "lacks its last 2 commits" in caplog.text
    caplog.clear()
    with Store("s.db"):
        pass
    assert not caplog.text  # said once


def test_nobody_else_may_read_it() -> None:
    before = os.umask(0o022)
    try:
        with Store("s.db") as store:
            asyncio.run(store.accept([run()]))
            modes = {
                path.name: stat.S_IMODE(path.stat().st_mode)
                for path in Path().glob("s.db*")
            }
    finally:
        os.umask(before)
    assert set(modes) >= {"s.db", "s.db-wal", "s.db-shm", "s.db-mark"}
    assert set(modes.values()) == {0o600}


def test_a_folder_that_cannot_be_made_is_said() -> None:
    Path("file").write_text("")
    with pytest.raises(StoreError, match="file") as caught:
        Store("file/s.db").open()
    assert "file/s.db" in str(caught.value)
    with Store("new/deep/s.db"):
        assert Path("new/deep/s.db").is_file()


# ------------------------------------------------------------------------- secrets

CANARY = "c4n4ry/s3cr3t+v4lue"


async def test_no_secret_is_in_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", CANARY)
    quoted = urllib.parse.quote(CANARY, safe="")
    frame = pl.DataFrame({"id": [1, 2], "mail": [CANARY, CANARY]})
    hook = WebhookAction(
        url=f"http://user:{quoted}@127.0.0.1:9/{quoted}",
        headers={"Authorization": f"Bearer {CANARY}"},
    )
    async with Store("s.db", durable=True) as store:
        made = [
            checkpoint(
                "redacted",
                frame,
                validators=["unique"],
                redact=["mail"],
                sample_rows=2,
                actions=[hook, Act("x", ends_as=OSError("down"))],
            ),
            checkpoint("address", f"postgresql://u:{quoted}@127.0.0.1:9/d"),
            checkpoint("named", "${CANARY}"),
        ]
        for one in made:
            one.store = store
            await one.run_async({"token": Secret(CANARY), "n": 1})
        found = await asyncio.to_thread(
            lambda: b"".join(path.read_bytes() for path in Path().glob("s.db*"))
        )
    assert b"redacted" in found
    for form in (
        CANARY,
        quoted,
        base64.b64encode(CANARY.encode()).decode().rstrip("=")[:-1],
    ):
        assert form.encode() not in found, form
