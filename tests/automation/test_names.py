"""Names of sites come from outside: never an option, a shell word or a path."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes import sites
from truthound.automation import AsyncPipelineExecutor, PipelineRun
from truthound.automation._names import (
    checked_names,
    file_name,
    refuse_name,
    shown_name,
)
from truthound.errors import ConfigurationError

pytestmark = pytest.mark.usefixtures("family")
# Writes what it was given, as bytes, to the only place that is ours.
TELL = """\
import json, os, sys
told = [os.fsencode(word).hex() for word in sys.argv[1:]]
told.append(os.environb[b"TRUTHOUND_SITE"].hex())
print(json.dumps(told))
"""
HOSTILE = [
    "--help",
    "-c",
    "-rf /",
    "; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "a && touch pwned",
    "| touch pwned",
    "> pwned",
    "'\"\\",
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "~root",
    "~",
    "a\nb",
    "a\r\nb\t\x1b[31m",
    "\x7f\x01",
    "${HOME}",
    "$${HOME}",
    "$HOME",
    "{site}",
    "{}",
    "{0.__class__}",
    "%s%n",
    "*",
    "?",
    "été\u200b\u202e",
    "🦆" * 50,
    " ",
    " padded ",
    "con",
    "NUL",
    "a" * 1_000,
    "ﷺ" * 1_000,
]
IMPOSSIBLE = ["", "a\0b", "\ud800", "\udc80x", "a" * 1_001, "b" * 1_000_000]
names = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text("./-~%$_ aA\\", max_size=6),
)


def telling(*words: str, folder: str = "logs") -> dict[str, Any]:
    return sites(
        command=[sys.executable, "-ISc", TELL, *words],
        max_concurrent_sites=4,
        log_directory=folder,
    )


def run(config: dict[str, Any], names: Any) -> PipelineRun:
    executor = AsyncPipelineExecutor(config)
    asyncio.run(executor.run_all_async(names))
    assert executor.last_run is not None
    return executor.last_run


def told(site: Any) -> list[bytes]:
    """Return what a site was given, as it says in its log."""
    output = Path(site.log).read_text().splitlines()[1]
    return [bytes.fromhex(word) for word in json.loads(output)]


def test_hostile_names_arrive_byte_for_byte_and_do_nothing(tmp_path: Path) -> None:
    words = ["--site={site}", "--", "{site}", "x{site}{site}"]
    folder = tmp_path / "logs"

    found = run(telling(*words, folder=str(folder)), HOSTILE)

    assert found.results == dict.fromkeys(HOSTILE, True)
    for site in found:
        name = site.site.encode()
        expected = [b"--site=" + name, b"--", name, b"x" + name + name, name]
        assert told(site) == expected
    logs = {Path(site.log or "") for site in found}
    assert len(logs) == len(HOSTILE)
    assert {log.parent for log in logs} == {folder}
    assert {log.name for log in logs} == {path.name for path in folder.iterdir()}
    assert not list(tmp_path.rglob("pwned"))
    assert not list(Path().iterdir())


def test_impossible_names_fail_alone() -> None:
    names = ["before", *IMPOSSIBLE, "after"]

    found = run(telling("--site={site}"), names)

    assert list(found.results) == names
    for site in found:
        possible = site.site in {"before", "after"}
        assert site.success is possible
        assert len(site.attempts) == possible
        if not possible:
            assert site.outcome == "incomplete"
            assert len(site.summary()) < 1_000
    assert len(found.error_summary()) < 3_000
    stored = json.loads(json.dumps(found.to_dict()))
    assert PipelineRun.from_dict(stored) == found


def test_name_is_never_an_option() -> None:
    """Where it would stand as a word of its own, what looks like an option fails."""
    found = run(telling("{site}"), ["--help", "-x", "fine"])

    assert found.results == {"--help": False, "-x": False, "fine": True}
    error = found.sites["-x"].error
    assert error is not None
    assert "would be taken for an option; write --name={site}" in error


@pytest.mark.parametrize("value", ["", "--"])
def test_variable_before_a_name_makes_it_no_option(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFIX", value)

    found = run(telling("${PREFIX}{site}"), ["--help", "fine"])

    assert found.results == {"--help": bool(value), "fine": True}


def test_reference_in_a_name_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cr3t")

    found = run(telling("--site={site}", "${SECRET}"), ["${SECRET}"])

    assert told(found.sites["${SECRET}"]) == [
        b"--site=${SECRET}",
        b"s3cr3t",
        b"${SECRET}",
    ]


@given(st.lists(names, min_size=1, max_size=3))
def test_any_name_arrives_or_is_refused(tmp_path: Path, given: list[str]) -> None:
    folder = tmp_path / "logs"

    found = run(telling("--site={site}", folder=str(folder)), given)

    assert list(found.sites) == list(dict.fromkeys(given))
    for site in found:
        if site.success:
            name = site.site.encode()
            assert told(site) == [b"--site=" + name, name]
            assert Path(site.log or "").parent == folder
        else:
            with pytest.raises(ConfigurationError):
                refuse_name(site.site)
    assert not list(tmp_path.glob("*.log"))


@given(names, names)
def test_two_names_have_two_files(one: str, other: str) -> None:
    files = [file_name(name) for name in (one, other)]

    assert (files[0] == files[1]) is (one == other)
    for file in files:
        assert len(file.encode()) < 200
        assert not set(file) & set('/\\\0\n:*?"<>|~ ')
        assert not file.startswith(("-", ".")) or file.startswith("-")
    assert Path("/logs", f"{files[0]}.log").name == f"{files[0]}.log"


@given(st.text(max_size=2_000))
def test_shown_name_is_one_line_that_steers_nothing(name: str) -> None:
    shown = shown_name(name)

    assert shown.isprintable()
    assert 0 < len(shown) <= 12 * 1_000


def test_names_are_listed_once_in_their_order() -> None:
    assert checked_names(iter("baab")) == ["b", "a"]


@pytest.mark.parametrize("name", HOSTILE)
def test_log_lines_hold_no_raw_name(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "truthound.automation")

    run(sites("exit 1", async_settings={"error_aggregation": False}), [name])

    for record in caplog.records:
        assert not set(record.getMessage()) & set("\n\r\x1b\x7f\x01\u202e")
