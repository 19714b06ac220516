"""config.yaml: all that is wrong is said, with its place, before anything starts."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from truthound.automation import (
    AsyncPipelineExecutor,
    PipelineConfig,
    PipelineExecutor,
    UniversalRunner,
    load_config,
)
from truthound.errors import ConfigurationError, ConfigurationFileError

BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{f'*{chr(97 + n)}, ' * 20}]\n" for n in range(12)
)


def write(text: str, path: str = "config.yaml") -> str:
    Path(path).write_text(text)
    return path


def problems(source: Any) -> list[str]:
    with pytest.raises(ConfigurationFileError) as caught:
        load_config(source)
    return caught.value.problems


# y01 and its like: what is in the file, and what is said.
WRONG = {
    "alias bomb": (BOMB, "aliases stand for over"),
    "alias of itself": ("sites: &a [*a]", "stands inside itself"),
    "python tag": (
        "pipeline: !!python/object/apply:os.system ['touch pwned']",
        "1:11: the tag !!python/object/apply:os.system is not allowed here",
    ),
    "tag": ("timeout: !secret 5", "the tag !secret is not allowed here"),
    "duplicate key": (
        "pipeline:\n  timeout: 1\n  timeout: 2",
        "3:3: the key 'timeout' is there already, in line 2",
    ),
    "duplicate site": ("command: [x]\nsites:\n  a:\n  a:", "is there already"),
    "unknown key": (
        "pipeline:\n  retry_cuont: 1",
        "2:3: unknown key 'retry_cuont', did you mean 'retry_count'?",
    ),
    "unknown key below": (
        "async_settings:\n  retry_backof: fixed",
        "2:3: unknown key 'retry_backof', did you mean 'retry_backoff'?",
    ),
    "key of elsewhere": (
        "semaphore_limit: 3",
        "unknown key 'semaphore_limit'; it belongs under async_settings",
    ),
    "key of elsewhere, below": (
        "async_settings: {timeout: 3}",
        "unknown key 'timeout'; it belongs beside async_settings",
    ),
    "bad type": (
        "timeout: soon",
        "1:10: timeout: expected a number, got the text 'soon'",
    ),
    "bad type below": ("async_settings: 5", "async_settings: expected"),
    "quoted number": ("retry_count: '3'", "retry_count: expected a whole number"),
    "float for a count": ("retry_count: 1.5", "retry_count: expected a whole number"),
    "truth for a count": ("retry_count: true", "retry_count: expected a whole number"),
    "text for a truth": ("use_async: yes", "use_async: expected true or false"),
    "zero": ("max_concurrent_sites: 0", "expected a number over 0, got 0"),
    "negative": ("timeout: -1", "timeout: expected a number over 0, got -1"),
    "no number": ("timeout: .nan", "timeout: expected a number over 0"),
    "no attempts": ("retry_count: 0", "retry_count: expected a number over 0"),
    "negative pause": ("retry_delay: -1", "retry_delay: expected a number, 0 or more"),
    "negative grace": ("grace: -0.1", "grace: expected a number, 0 or more"),
    "backoff": (
        "async_settings: {retry_backoff: cubic}",
        "retry_backoff: expected",
    ),
    "contradiction": (
        "max_concurrent_sites: 5\nasync_settings:\n  semaphore_limit: 4",
        "3:20: semaphore_limit is 4 and max_concurrent_sites 5; they are the same",
    ),
    "list": ("- timeout: 1", "1:1: expected a mapping with 'pipeline:', got"),
    "text": ("hello", "expected a mapping with 'pipeline:', got the text 'hello'"),
    "list below": ("pipeline: [1]", "pipeline: expected a mapping, got"),
    "nothing below": ("pipeline:", "pipeline: expected a mapping, got"),
    "beside": (
        "pipeline:\n  timeout: 1\nretry_count: 2",
        "3:1: 'retry_count' stands beside 'pipeline:'; indent it below",
    ),
    "tab": ("pipeline:\n\ttimeout: 1", "2:"),
    "half a file": ("pipeline: {timeout: 1", "1:"),
    "two documents": ("timeout: 1\n---\ntimeout: 2", "a second document"),
    "not utf-8": ("timeout: \udcff", "not UTF-8: byte 0xff"),
    "nul": ("timeout: \0", "1:"),
    "deep": ("a: " + "[" * 200 + "]" * 200, "nested more than"),
    "empty command": ("command: []", "command: expected a program"),
    "blank command": ("command: [' ', x]", "command: expected a program"),
    "command as a text": ("command: crawl {site}", "command: expected"),
    "name as program": ("command: ['{site}']", "cannot be the program"),
    "name in a path of a program": ("command: ['./{site}']", "cannot be the program"),
    "retry_on word": (
        "retry_on: [signl]",
        "'signal' or 'timeout', got the text 'signl'",
    ),
    "retry_on zero": ("retry_on: [0]", "expected an exit code from 1 to 255"),
    "retry_on large": ("retry_on: [256]", "expected an exit code from 1 to 255"),
    "retry_on truth": ("retry_on: [true]", "retry_on"),
    "retry_on number": ("retry_on: 3", "retry_on: expected"),
    "environment as a list": ("environment: [A]", "environment: expected"),
    "environment nested": ("environment: {A: {b: 1}}", "A: expected a text, got"),
    "environment of nothing": ("environment: {A: }", "A: expected a text, got"),
    "environment name": ("environment: {'A=B': 1}", "'A=B' cannot be passed"),
    "environment no name": ("environment: {'': 1}", "'' cannot be passed"),
    "environment nul": ('environment: {A: "\\0"}', "'A' cannot be passed"),
    "environment of a site": (
        "command: [x]\nsites: {a: {environment: {B: [1]}}}",
        "B: expected a text, got",
    ),
    "empty folder": ("output_directory: ''", "expected a folder, got an empty text"),
    "empty work folder": ("working_directory: ' '", "expected a folder"),
    "isolation": ("isolation: hot", "isolation: expected"),
    "warm and a command": (
        "isolation: warm\ncommand: [x]",
        "isolation: warm is for the default site command, without command",
    ),
    "warm and PYTHONPATH": (
        "isolation: warm\nenvironment: {PYTHONPATH: x}",
        "warm cannot heed PYTHONPATH of environment",
    ),
    "warm and LD_PRELOAD of a site": (
        "isolation: warm\nsites: {a: {source: x.csv, environment: {LD_PRELOAD: y}}}",
        "warm cannot heed LD_PRELOAD of environment",
    ),
    "sites as a text": (
        "sites: a",
        "sites: expected a mapping or a list, got the text 'a'",
    ),
    "site without a source": ("sites: [a]", "a: source is missing"),
    "site as a number": ("command: [x]\nsites: {a: 5}", "a: expected a mapping, got 5"),
    "site of a list": ("command: [x]\nsites: [[a]]", "sites: a list is one of names"),
    "empty name of a site": ("command: [x]\nsites: ['']", "a site's name is empty"),
    "unknown key of a site": (
        "sites: {a: {sourc: x.csv, source: x.csv}}",
        "unknown key 'sourc', did you mean 'source'?",
    ),
    "source and a command": (
        "command: [x]\nsites: {a: {source: x.csv}}",
        "source is for the default site command, and there is a command",
    ),
    "limit of a site": (
        "command: [x]\nsites: {a: {timeout: 0}}",
        "timeout: expected a number over 0, got 0",
    ),
    "unknown validator": (
        "sites: {a: {source: x.csv, validators: [nul]}}",
        "did you mean 'null'?",
    ),
    "defaults": ("defaults: 5", "defaults: expected a mapping, got 5"),
    "default limit": (
        "defaults: {timeout: x}",
        "timeout: expected a number, got the text 'x'",
    ),
}


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_file_is_refused_and_says_where(name: str, nested: bool) -> None:
    text, said = WRONG[name]
    if nested and not text.startswith(("pipeline", "- ", "hello", "timeout: 1\n-")):
        text = "pipeline:\n" + "".join(f"  {line}\n" for line in text.split("\n"))
        said = said.partition(": ")[2] if said[:1].isdigit() else said
    Path("config.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    began = time.process_time()

    found = problems("config.yaml")

    assert time.process_time() - began < 5  # a bomb would take for ever
    assert any(said in line for line in found), found
    assert all(line.startswith("config.yaml:") for line in found)
    assert not Path("pwned").exists()
    for kind in (UniversalRunner, AsyncPipelineExecutor, PipelineExecutor):
        with pytest.raises(ConfigurationError):
            kind("config.yaml")


CODE = {
    "shell": ["sh", "-c", "curl {site}"],
    "shell, more options": ["bash", "-euxc", "curl {site}"],
    "login shell": ["/bin/bash", "-l", "-c", "curl {site}"],
    "by env": ["/usr/bin/env", "bash", "-c", "curl {site}"],
    "by sudo": ["sudo", "-u", "me", "sh", "-c", "curl {site}"],
    "python": ["python3.13", "-c", "print('{site}')"],
    "isolated python": ["python", "-Ic", "print('{site}')"],
    "perl": ["perl", "-lne", "print '{site}'"],
    "node": ["node", "--eval", "'{site}'"],
    "powershell": ["pwsh", "-Command", "Get {site}"],
    "shell, code letter first": ["sh", "-ce", "echo {site}"],
    "shell, option behind": ["sh", "-c", "-x", "echo {site}"],
    "code in the option": ["python3", "-cprint({site})"],
    "node prints": ["node", "-p", "{site}"],
    "awk": ["awk", "BEGIN {{site}}"],
    "python, option with a value": ["python", "-W", "error", "-c", "x = '{site}'"],
}


@pytest.mark.parametrize("command", CODE.values(), ids=CODE)
def test_name_of_a_site_is_no_code(command: list[str]) -> None:
    (line,) = problems({"command": command})

    assert "would be read as code by" in line


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", 'curl "$1"', "sh", "{site}"],
        ["python", "crawl.py", "--site={site}"],
        ["python", "crawl.py", "-site", "{site}"],
        ["python", "-m", "crawl", "--name", "{site}"],
        ["curl", "-e", "{site}"],
        ["bash", "-e", "crawl.sh", "{site}"],
        ["awk", "-f", "crawl.awk", "{site}"],
        ["awk", "{print $1}", "{site}"],
        ["xargs"],
    ],
)
def test_name_of_a_site_may_be_an_argument(command: list[str]) -> None:
    assert load_config({"command": command}).command == tuple(command)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    write("timeout: x\nretry_cuont: 1\nisolation: hot\nretry_on: [q, 0]\n")

    assert [line.split(": ")[0] for line in problems("config.yaml")] == [
        "config.yaml:1:10",
        "config.yaml:2:1",
        "config.yaml:3:12",
        "config.yaml:4:12",
        "config.yaml:4:15",
    ]


DOCUMENTED = """\
timeout: 3600
retry_count: 3
max_concurrent_sites: 5
use_async: true
async_settings:
  semaphore_limit: 5
  retry_backoff: linear
  progress_reporting: false
  error_aggregation: false
"""


def test_nested_and_flat_and_mapping_are_the_same() -> None:
    plain = yaml.safe_load(DOCUMENTED)
    nested = "pipeline:\n" + "".join(f"  {x}\n" for x in DOCUMENTED.splitlines())
    write(DOCUMENTED, "flat.yaml")
    write(nested, "nested.yaml")

    found = [
        load_config(source)
        for source in ("flat.yaml", Path("nested.yaml"), plain, {"pipeline": plain})
    ]

    for config in found:
        assert config.timeout == 3600
        assert config.retry_count == 3
        assert config.max_concurrent_sites == 5
        assert config.retry_backoff == "linear"
        assert (config.progress_reporting, config.error_aggregation) == (False, False)
        assert config.folder == Path.cwd()


@pytest.mark.parametrize("source", [None, {}, "empty.yaml", {"pipeline": {}}])
def test_defaults_are_the_documented_ones(source: Any) -> None:
    write("# nothing\n", "empty.yaml")

    config = load_config(source)

    assert (config.timeout, config.retry_count) == (3600, 3)
    assert (config.max_concurrent_sites, config.use_async) == (5, True)
    assert config.retry_backoff == "exponential"
    assert config.command is None
    assert config.output_directory == Path.cwd() / ".truthound/pipeline"
    assert config.log_directory == config.output_directory / "logs"


def test_semaphore_limit_is_the_limit() -> None:
    settings = {"async_settings": {"semaphore_limit": 7}}

    assert load_config(settings).max_concurrent_sites == 7
    assert AsyncPipelineExecutor(settings).max_concurrent == 7
    assert load_config({**settings, "max_concurrent_sites": 7})


def test_paths_begin_at_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    path = tmp_path / "there" / "config.yaml"
    path.write_text("working_directory: work\noutput_directory: ../out\n")

    config = load_config(path)

    assert config.working_directory == tmp_path / "there" / "work"
    assert config.output_directory == tmp_path / "there" / ".." / "out"
    assert config.log_directory == config.output_directory / "logs"
    path.write_text("log_directory:\n")
    assert load_config(path).log_directory is None


def test_folder_may_be_named_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE", "/mnt/lake")
    assert load_config({"output_directory": "${LAKE}/x"}).output_directory == Path(
        "/mnt/lake/x"
    )
    (line,) = problems({"log_directory": "${NO_LAKE}/x"})
    assert "log_directory: the environment variable NO_LAKE is not set" in line


@pytest.mark.parametrize("path", ["nowhere.yaml", "folder", "automation/config.yaml"])
def test_file_that_cannot_be_read_is_named(path: str) -> None:
    Path("folder").mkdir()

    (line,) = problems(path)

    assert line.startswith(path)
    with pytest.raises(ConfigurationFileError, match=r"automation/config\.yaml"):
        UniversalRunner()


def test_large_file_is_not_read() -> None:
    with open("config.yaml", "wb") as file:  # noqa: PTH123
        os.truncate(file.fileno(), 20_000_000)

    assert problems("config.yaml") == ["config.yaml: larger than 10,000,000 bytes"]


def test_mapping_that_no_file_could_hold_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["environment"] = endless

    for wrong in (
        {"timeout": object()},
        {"environment": {"A": b"x"}},
        {"sites": {("a", "b"): {}}},
        {True: 1},
        endless,
    ):
        with pytest.raises(ConfigurationError):
            load_config(wrong)  # type: ignore[arg-type]


def test_configuration_passes_through() -> None:
    config = PipelineConfig(retry_count=2)
    assert load_config(config) is config
    assert UniversalRunner(config).async_executor.retry_count == 2


def test_sites_are_kept_with_their_limits() -> None:
    config = load_config(
        {
            "command": ["x"],
            "defaults": {"environment": {"A": 1, "B": True}, "timeout": 9},
            "sites": {"a": {"environment": {"B": "own"}, "retry_count": 1}, "b": None},
        }
    )

    assert list(config.sites) == ["a", "b"]
    assert config.sites["a"].environment == {"A": "1", "B": "own"}
    assert config.sites["a"].timeout == 9
    assert config.sites["a"].retry_count == 1
    assert config.sites["b"].environment == {"A": "1", "B": "true"}
    assert config.site("another").timeout == 9
    assert list(load_config({"command": ["x"], "sites": [1, "b", 1]}).sites) == [
        "1",
        "b",
    ]


def test_site_that_is_not_known_fails_with_the_nearest_name() -> None:
    config = load_config({"sites": {"north": {"source": "n.csv"}}})

    with pytest.raises(ConfigurationError, match=r"no site nrth .*'north'"):
        config.site("nrth")


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".", "a\\b"])
def test_name_of_a_site_is_no_path_of_its_source(name: str) -> None:
    config = load_config({"defaults": {"source": "data/{site}.csv"}})

    with pytest.raises(ConfigurationError, match="cannot be a part of the path"):
        config.site(name)


def test_name_of_a_site_is_quoted_in_an_address() -> None:
    config = load_config({"defaults": {"source": "https://x.org/{site}/data.csv"}})

    options = config.site("a/../b?c#d").options

    assert options is not None
    source = options.get("source")
    assert source is not None
    assert source.scalar == "https://x.org/a%2F..%2Fb%3Fc%23d/data.csv"
