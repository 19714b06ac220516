"""A sign of life for what takes long: on a terminal only, and on standard error."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

from truthound._clock import SYSTEM_CLOCK
from truthound.cli._boundary import is_terminal

SILENT_FOR = 1.0  # seconds before anything is shown
STEP = 0.5  # seconds between two looks at the clock


@contextlib.contextmanager
def progress(what: Callable[[], str], *, quiet: bool = False) -> Iterator[None]:
    """Show a spinner with the time that has gone by while the block runs.

    Args:
        what: says what is being done; asked again and again.
        quiet: show nothing.
    """
    if quiet or not is_terminal(sys.stderr):
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_show, args=(what, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _show(what: Callable[[], str], over: threading.Event) -> None:
    began = SYSTEM_CLOCK.monotonic()
    if over.wait(SILENT_FOR):
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    with console.status("", spinner="line") as status:
        while True:
            seconds = SYSTEM_CLOCK.monotonic() - began
            status.update(f"{escape(what())} … {seconds:.0f} s")
            if over.wait(STEP):
                return
