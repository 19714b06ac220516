"""Rules about the repository itself, and about what an import costs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import truthound

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "truthound"
MODULES = sorted(SOURCE.rglob("*.py"))
LONGEST = 400  # lines; a longer file is to be split

# Put together here, so that this file does not hold what it looks for.
HOSTS = ["files.python" + "hosted.org", "pypi" + ".org", "registry.npm" + "js.org"]
MACHINE = [r"/ho" + r"me/\w+/", r"/ro" + r"ot/", r"/Us" + r"ers/\w+/", r"/wo" + r"rk/"]

# Calls that write to the path that they are given.
WRITERS = {
    "write_text",
    "write_bytes",
    "sink_parquet",
    "sink_csv",
    "sink_ipc",
    "sink_ndjson",
    "write_parquet",
    "write_csv",
    "write_ipc",
}
# And where a device is written to, which no file can take the place of.
MAY_WRITE = {"_atomic.py", "_files.py"}


def tracked() -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name]


def test_no_host_of_a_registry_and_no_path_of_a_machine() -> None:
    forbidden = re.compile("|".join([*map(re.escape, HOSTS), *MACHINE]))
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked()
        if path.is_file()
        for match in [forbidden.search(path.read_text("utf-8", "replace"))]
        if match
    ]
    assert not found


def test_no_large_file() -> None:
    sizes = {path.name: path.stat().st_size for path in tracked() if path.is_file()}
    assert not {name: size for name, size in sizes.items() if size > 1_000_000}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_file_is_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


def calls(path: Path) -> list[ast.Call]:
    tree = ast.parse(path.read_text("utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def called_name(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def opens_for_writing(call: ast.Call) -> bool:
    modes = [a.value for a in call.args if isinstance(a, ast.Constant)]
    modes += [k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)]
    texts = [m for m in modes if isinstance(m, str)]
    return any(re.fullmatch(r"[wax][bt+]*", mode) for mode in texts)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_are_written_through_the_one_helper(path: Path) -> None:
    if path.name in MAY_WRITE:
        return
    text = path.read_text("utf-8")
    for call in calls(path):
        name = called_name(call)
        if name in WRITERS:
            # Into the temporary file that the helper hands out, or through it.
            assert "_atomic" in text, f"line {call.lineno}: {name} without the helper"
        elif name == "open":
            assert not opens_for_writing(call), f"line {call.lineno}: open for writing"


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, json, truthound; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}

    heavy = {"polars", "httpx", "httpx2", "rich", "yaml", "msgspec", "narwhals"}
    assert not loaded & (heavy | {"pandas", "numpy", "click", "asyncio"})


def test_help_loads_no_engine() -> None:
    code = (
        "import sys, json\n"
        "from truthound.cli import main\n"
        "sys.argv = ['truthound', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stderr)}
    assert not loaded & {"polars", "rich", "yaml", "msgspec", "narwhals", "asyncio"}


@pytest.mark.parametrize(
    ("names", "left_out"),
    [
        ("", {"asyncio", "httpx2", "watchfiles", "aiohttp", "opentelemetry"}),
        (
            "AsyncRunner, AsyncStream, AsyncDirectoryWatcher",
            {"httpx2", "watchfiles", "aiohttp", "opentelemetry"},
        ),
        ("AsyncHTTPClient", {"watchfiles", "aiohttp", "opentelemetry"}),
    ],
)
def test_toolkit_loads_what_is_used(names: str, left_out: set[str]) -> None:
    imports = f"from truthound.async_core import {names}" if names else ""
    code = (
        "import sys, json, truthound.async_core\n"
        f"{imports}\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & (left_out | {"polars", "rich", "pandas"})


def test_public_names_exist_and_no_others_are_promised() -> None:
    for name in truthound.__all__:
        assert getattr(truthound, name) is not None
    assert set(dir(truthound)) == set(truthound.__all__)
    with pytest.raises(AttributeError, match="no attribute 'chek'"):
        truthound.chek  # type: ignore[attr-defined] # noqa: B018 - the point of it


@pytest.mark.parametrize(
    "package",
    ["async_core", "checkpoint", "data", "profile", "report", "store", "validators"],
)
def test_rooms_promise_what_they_have(package: str) -> None:
    module = __import__(f"truthound.{package}", fromlist=["__all__"])
    assert module.__all__ == sorted(module.__all__, key=lambda n: (n.islower(), n)) or (
        sorted(module.__all__) == sorted(set(module.__all__))
    )
    for name in module.__all__:
        assert getattr(module, name) is not None
