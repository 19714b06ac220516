"""The command line's help, and that the documentation knows all of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from cli.shell import call, environment
from truthound.checkpoint import CheckpointConfig, load_checkpoints
from truthound.cli import COMMANDS, HELP, VERSION
from truthound.cli._lazy import LazyGroup
from truthound.cli._root import cli
from truthound.data import ReadOptions

DOCS = Path(__file__).parents[2] / "docs"


def commands(
    group: click.Group = cli, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands())


@pytest.fixture(scope="module")
def page() -> str:
    return (DOCS / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_command_is_in_the_documentation(path, page):
    assert " ".join(path) in page


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_is_in_the_section_of_its_command(path, page):
    section = re.search(rf"^## truthound {path[0]}$(.*?)(^## |\Z)", page, re.M | re.S)
    assert section is not None
    text = section[1]
    twin = path[0] == "checkpoint" and path[-1] in {"run", "init", "validate"}
    if twin or "as for `check`" in text:
        text = page  # a command by another name, or options told of before

    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option):
            for flag in parameter.opts:
                assert f"`{flag}" in text, flag


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_of_a_group_says_what_its_command_says(path):
    group = cli if len(path) == 1 else ALL[path[:-1]]
    assert isinstance(group, LazyGroup)

    assert group.commands_at[path[-1]][1] == ALL[path].short_help


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_has_help(path):
    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help


def test_every_key_of_a_checkpoint_is_in_the_documentation():
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")

    for field in (*fields(CheckpointConfig), *fields(ReadOptions)):
        if field.init:
            assert f"`{field.name}`" in text, field.name


def test_every_configuration_of_the_documentation_is_valid(tmp_path):
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)

    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block, encoding="utf-8")
        assert load_checkpoints(path)

    assert len(blocks) >= 3


def test_help_says_what_click_knows():
    context = cli.make_context("truthound", [], resilient_parsing=True)
    flags = [flag for option in cli.get_params(context) for flag in option.opts]

    assert set(flags) == set(re.findall(r"--?[a-z]+", HELP.partition("Options:")[2]))
    for name, (_, line) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", HELP, re.M)
    assert max(map(len, HELP.splitlines())) < 80


@pytest.mark.parametrize(
    ("words", "said"),
    [(["-h"], HELP), (["--help"], HELP), (["--version"], f"{VERSION}\n")],
    ids=["-h", "--help", "--version"],
)
def test_answer_is_the_same_with_and_without_click(words, said):
    assert call(*words).stdout == call(*words, "check").stdout == said


@pytest.mark.parametrize(
    ("arguments", "light"),
    [(["--help"], True), (["--version"], True), (["check", "--help"], False)],
    ids=["help", "version", "help of a command"],
)
def test_help_imports_none_of_what_the_work_needs(arguments, light):
    script = (
        "import sys\n"
        "from truthound.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = {'polars', 'rich', 'yaml', 'msgspec', 'asyncio', 'narwhals'}\n"
        f"heavy |= {{'click'}} if {light} else set()\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode == 0, done.stderr
