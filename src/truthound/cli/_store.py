"""The store of a command: which one, opened, and what becomes of it if it is not."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from truthound.cli._boundary import Exit, stderr

if TYPE_CHECKING:
    from truthound.store import Store

Function = TypeVar("Function", bound=Callable[..., Any])

place = click.option(
    "--store",
    metavar="PLACE",
    help="A path or address of the store; else TRUTHOUND_STORE, else "
    ".truthound/truthound.db beside the configuration.",
)


def recording(function: Function) -> Function:
    """Add ``--store`` and ``--no-store`` to a command that runs checkpoints."""

    @place
    @click.option("--no-store", is_flag=True, help="Write nothing down.")
    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        if options["store"] is not None and options["no_store"]:
            raise click.UsageError("give either --store or --no-store, not both")
        return function(*args, **options)

    return wrapped  # type: ignore[return-value]


def store_for(given: str | None, config: str | None) -> Store:
    """Return the store that is meant; it need not be there.

    Args:
        given: by ``--store``.
        config: the configuration, if one was named.

    Raises:
        ConfigurationError: it is no place where a store can be.
    """
    from truthound.store import Store, store_of
    from truthound.store._place import FILE, find_configuration

    named = store_of(given)
    if named is not None:
        return named
    file = Path(config) if config is not None else find_configuration()
    return Store(file.parent / FILE if file is not None else FILE)


class Recording:
    """What a command writes down, and whether that went wrong.

    Attributes:
        store: where; False: nowhere.
        code: the least exit code that the command is to have.
    """

    def __init__(self) -> None:
        self.store: Any = False
        self.code: Exit = Exit.PASSED

    def give_up(self, error: Exception) -> None:
        """Go on without the store: it is there, and damaged or out of reach."""
        stderr(f"truthound: {error}; nothing is recorded")
        self.store, self.code = False, Exit.INCOMPLETE

    def worst(self, code: int) -> int:
        """Return the exit code of the command: checks that ran were not recorded."""
        if self.code and code in (Exit.PASSED, Exit.FAILED, Exit.ACTION_FAILED):
            return self.code
        return code


@contextlib.contextmanager
def opened(given: dict[str, Any], config: str | None) -> Iterator[Recording]:
    """Open the store of a command that runs checkpoints, for a block.

    One that cannot be opened is told, and the block runs all the same: data that is not
    checked would be worse. The exit code then says so, unless nobody has asked for the
    store and there was none.

    Args:
        given: the options of the command; ``store`` and ``no_store`` are taken out.
        config: the configuration, if one was named.

    Raises:
        ConfigurationError: it is no place where a store can be.
    """
    from truthound.errors import MissingDependencyError, StoreError
    from truthound.store import has_store

    recording, place = Recording(), given.pop("store")
    if given.pop("no_store"):
        yield recording
        return
    store = store_for(place, config)
    try:
        store.retain()
    except (StoreError, MissingDependencyError) as error:
        stderr(f"truthound: {error}; nothing is recorded")
        is_new = store.path is not None and not store.path.exists()
        if has_store(place) or not is_new:
            recording.code = Exit.INCOMPLETE
        yield recording
        return
    recording.store = store
    try:
        yield recording
    finally:
        store.release()
