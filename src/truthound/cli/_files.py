"""Where results go: standard output, or a file that appears whole."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import click

from truthound import _atomic
from truthound.cli._boundary import stderr, stdout


def write(text: str, file: str | None, *, quiet: bool = False) -> None:
    """Write a result to a file, or to standard output if there is none or ``-``.

    Raises:
        click.ClickException: it cannot be written.
    """
    if file is None or file == "-":
        stdout(text)
        return
    if not text.endswith("\n"):
        text += "\n"
    with writing(file) as path:
        if path is None:
            with Path(file).open("w", encoding="utf-8") as special:
                special.write(text)
        else:
            path.write_text(text, encoding="utf-8")
    if not quiet:
        stderr(f"wrote {file}")


@contextlib.contextmanager
def writing(file: str) -> Iterator[Path | None]:
    """Yield the path under which a file is to be written, None for a device.

    A terminal, pipe or ``/dev/null`` cannot be put in the place of by a rename; all
    else appears when the block ends, whole.

    Raises:
        click.ClickException: it cannot be written.
    """
    try:
        if _is_special(file):
            yield None
        else:
            with _atomic.replacing(file) as temporary:
                yield temporary
    except BrokenPipeError:
        pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.ClickException(f"cannot write {file}: {reason}") from error


def refuse_unwritable(file: str | None) -> None:
    """Refuse a file that will not be written, before there is anything to write.

    Raises:
        click.ClickException: its folder is missing, or it is a folder.
    """
    if file is None or file == "-":
        return
    path = Path(file)
    if path.is_dir():
        raise click.ClickException(f"cannot write {file}: it is a folder")
    folder = path.parent
    if not folder.is_dir():
        raise click.ClickException(f"cannot write {file}: there is no folder {folder}")
    if not _is_special(file) and not os.access(folder, os.W_OK):
        raise click.ClickException(f"cannot write {file}: {folder} is read-only")


def _is_special(file: str) -> bool:
    try:
        mode = os.stat(file).st_mode  # noqa: PTH116 - /dev/stdout is a link that Path would follow alike
    except OSError:
        return False
    # /dev/stdout of a process whose output is a file: opened, not replaced.
    return not stat.S_ISREG(mode) or file.startswith("/dev/")
