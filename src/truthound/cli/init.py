"""``truthound init``: a first configuration, from the data at hand."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from truthound._words import plural
from truthound.cli import _options
from truthound.cli._boundary import Exit, stderr

SUFFIXES = (
    *(".csv", ".tsv", ".parquet", ".ndjson", ".jsonl", ".json", ".arrow", ".feather"),
    *(".csv.gz", ".csv.zst", ".csv.zip", ".tsv.gz", ".tsv.zst", ".tsv.zip"),
)
MOST = 20  # files for which a checkpoint is written

HEAD = """\
# What must hold of which data. 'truthound check' runs all of it, 'truthound validate'
# looks for faults in this file.
"""
SUGGESTED = """\
#
# The validators were suggested from the data at hand, which passes all of them. Take
# away what need not hold tomorrow, and add what should have held all along.
"""
EXAMPLE = """\
#
# No data was found in this folder; this is what a checkpoint looks like:
#
#   - name: rides
#     data_source: data/rides.parquet
#     tags: {team: pricing}
#     validators:
#       - not_null: {column: id}
#       - unique: {column: id}
#       - range: {column: fare, min: 0, max: 500, mostly: 0.99}

checkpoints: []
"""


@click.command(short_help="Write a configuration for the data at hand.")
@click.argument("data", nargs=-1)
@_options.reading
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="truthound.yaml",
    show_default=True,
    help="Write there.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("-q", "--quiet", is_flag=True, help="Say less.")
def init(
    data: tuple[str, ...], output: str, force: bool, quiet: bool, **given: Any
) -> int:
    """Write a configuration with a checkpoint for each DATA.

    DATA is a path, pattern, folder or address. Of a folder, each data file in it is
    taken; without DATA, each one of the current folder. The validators are suggested
    from the data, which is read for it.
    """
    from truthound.cli import _files
    from truthound.cli._run import in_thread

    if not force:
        refuse_existing(output, " (--force replaces it)")
    _files.refuse_unwritable(output)
    read = _options.read_options(given)
    sources = list(_sources(data or (".",)))
    if len(sources) > MOST:
        stderr(f"{len(sources)} data files; only the first {MOST} are taken")
        del sources[MOST:]
    if sources:
        text = in_thread(
            lambda: configuration_of(sources, output, read),
            f"reading {plural(len(sources), 'file')}",
            quiet=quiet,
        )
    else:
        text = HEAD + EXAMPLE
    _files.write(text, output, quiet=quiet)
    return Exit.PASSED


def refuse_existing(file: str, hint: str = "") -> None:
    """Refuse to write over a configuration.

    Raises:
        click.ClickException: there is a file of that name.
    """
    if Path(file).is_file() and not file.startswith("/dev/"):
        raise click.ClickException(f"{file} is there already{hint}")


def configuration_of(sources: Sequence[str], output: str, read: dict[str, Any]) -> str:
    """Return a configuration whose validators the data passes. Blocks.

    Args:
        sources: paths, patterns, folders or addresses.
        output: the file that it is for; relative paths will begin at its folder.
        read: reading options.

    Raises:
        DataError: a source cannot be read.
    """
    from truthound.profile import suggest, to_yaml

    blocks, taken = [], set[str]()
    for source in sources:
        name = _free(Path(source).name.partition(".")[0] or "data", taken)
        text = to_yaml(suggest(source, **read), _relative(source, output), name)
        lines = text.partition("checkpoints:\n")[2].splitlines()
        if read:
            place = next(n for n, line in enumerate(lines) if "data_source:" in line)
            options = json.dumps(read, ensure_ascii=False)
            lines.insert(place + 1, f"    read_options: {options}")
        blocks.append("\n".join(lines) + "\n")
    return f"{HEAD}{SUGGESTED}\ncheckpoints:\n" + "\n".join(blocks)


def _sources(given: Sequence[str]) -> Iterator[str]:
    for item in given:
        folder = Path(item)
        files = sorted(_data_files(folder)) if folder.is_dir() else []
        if files:
            yield from files
        elif item != ".":
            yield item  # a folder of folders is one table in parts


def _data_files(folder: Path) -> Iterator[str]:
    from truthound.checkpoint.config import FILE_NAMES

    for path in folder.iterdir():
        name = path.name.lower()
        if name.startswith(".") or name in FILE_NAMES or not path.is_file():
            continue
        if name.endswith(SUFFIXES):
            yield str(path)


def _relative(source: str, output: str) -> str:
    if "://" in source or Path(source).is_absolute():
        return source
    return os.path.relpath(source, Path(output).parent)


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free
