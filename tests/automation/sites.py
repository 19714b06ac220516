"""The default site command in a test: as a call, as a process, and its files."""

from __future__ import annotations

import contextlib
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from cli.shell import environment
from truthound.automation.site import main

OUTPUT = Path(".truthound/pipeline")
ALL = ("--schema-matrix", "--emit-status")


def configure(**sites: Any) -> None:
    """Write a configuration of sites."""
    Path("c.yaml").write_text(yaml.safe_dump({"pipeline": {"sites": sites}}))


def write_csv(path: str, **columns: list[Any]) -> None:
    """Write columns as a CSV file; None is an empty field."""
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(_field, row)) for row in rows)]
    Path(path).write_text("\n".join(lines) + "\n")


def _field(value: Any) -> str:
    return "" if value is None else str(value)


def run(site: str = "north", *arguments: str) -> int:
    """Call the command in this process."""
    return main([f"--site={site}", "-c", "c.yaml", *(arguments or ALL)])


def command(site: str = "north", *arguments: str) -> list[str]:
    """Return the words that start the command."""
    module = "truthound.automation.site"
    words = [f"--site={site}", "-c", "c.yaml", *(arguments or ALL)]
    return [sys.executable, "-m", module, *words]


def start(site: str = "north", *arguments: str, **variables: str) -> Any:
    """Start the command as a process."""
    return subprocess.Popen(
        command(site, *arguments),
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def status(site: str = "north") -> dict[str, Any]:
    """Return what the status file of a site says."""
    return _json(OUTPUT / "status" / f"{site}.json")


def schema(site: str = "north") -> dict[str, Any]:
    """Return what the schema file of a site says."""
    return _json(OUTPUT / "schema" / f"{site}.json")


def drift(site: str = "north") -> dict[str, list[str]]:
    """Return what the matrix says has changed in a site."""
    return {
        field["field"]: field["sites"][site]["drift"]
        for field in matrix()["fields"]
        if field["sites"].get(site, {}).get("drift")
    }


def matrix() -> dict[str, Any]:
    """Return the matrix."""
    return _json(OUTPUT / "schema_matrix.json")


def sites_of_matrix() -> set[str]:
    """Return the sites that are in the matrix."""
    return {entry["site"] for entry in matrix()["sites"]}


def files() -> set[str]:
    """Return all files below the folder of findings but the lock."""
    found = {str(p.relative_to(OUTPUT)) for p in OUTPUT.rglob("*") if p.is_file()}
    return found - {".schema_matrix.lock"}


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


@contextlib.contextmanager
def answering(
    answer: Callable[[http.server.BaseHTTPRequestHandler], None],
) -> Iterator[str]:
    """Serve what a function writes for each GET and HEAD; yield the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def left_in(folder: Path) -> list[str]:
    """Return what a site has left in a folder for temporary files."""
    return [path.name for path in folder.glob("truthound-*")]
