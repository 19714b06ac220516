"""Which process is which: a dead one is known for dead, and a live one is not."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from truthound.store.records import Owner


def new_owner() -> str:
    """Return a name for a part of the current process."""
    return f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"


def this_process(name: str) -> Owner:
    """Return the current process as an owner of that name. Reads small files."""
    host, pid = socket.gethostname(), os.getpid()
    return Owner(name=name, host=_machine(host), pid=pid, process=_began(pid))


def is_gone(owner: Owner) -> bool | None:
    """Tell whether an owner's process has ended; None: it is on another machine."""
    if owner.host != _machine(socket.gethostname()):
        return None
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it is there, and somebody else's
    began = _began(owner.pid)
    if began == _ZOMBIE:
        return True  # it has ended, and nobody has asked how
    return bool(owner.process and began and began != owner.process)


def _machine(host: str) -> str:
    """Return a name that two machines, or two containers, do not share."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        space = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - follows the link
    except OSError:  # not Linux
        return host
    return f"{host}/{boot}/{space}"


_ZOMBIE = "ended"


def _began(pid: int) -> str:
    """Return when a process began, in ticks since the boot; empty if unknown.

    For one that has ended, but whose parent has not taken note, it is ``ended``.
    """
    try:
        line = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return ""
    # The name of the program stands in parentheses and may hold anything.
    fields = line.rpartition(")")[2].split()
    return _ZOMBIE if fields[0] in "ZX" else fields[19]
