"""The process that starts the processes of sites: small, and one for each run.

It needs nothing but the standard library, so it is up in milliseconds, and a process
that it starts begins with its few megabytes and not with those of a program that has a
data engine loaded. When its socket closes, because the run is over or because who
asked for it was killed, it ends everything that it started.

With ``--warm`` it imports the site command and forks instead of starting interpreters.
It never runs a query: a fork after that would find locks that nobody ever opens.

A request is four bytes with its length, then JSON: ``argv`` and ``env``, which is added
to our own environment. Three descriptors come along: a socket, the standard input and
the output of the process. On that socket it answers ``{"pid": ...}`` or ``{"error":
..., "errno": ...}``, then ``{"status": ..., "peak": ...}`` when the process has ended,
and takes bytes that are numbers of signals for the process group.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import sys
import warnings

TYPE_CHECKING = False  # as typing has it, without the time that it takes to import
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

# Signals that an interpreter ignores, and whom it starts shall not.
_DEFAULTED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT)
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of <linux/prctl.h>
_MAXRSS = 1 if sys.platform == "darwin" else 1024  # bytes in a unit of ru_maxrss


class Server:
    """Starts processes and tells of their ends.

    Args:
        control: where requests come from.
        site: in a forked process called with its arguments, and returns its exit code;
            None to start programs.
    """

    def __init__(
        self,
        control: socket.socket,
        site: Callable[[Sequence[str]], int] | None = None,
    ) -> None:
        self.control = control
        self.site = site
        # Of the processes that run, by descriptor of the socket.
        self.sockets: dict[int, socket.socket] = {}
        self.pids: dict[int, int] = {}
        self.environment = dict(os.environ)
        self.poll = select.poll()
        self.news, wake = os.pipe()
        for end in (self.news, wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self.poll.register(control, select.POLLIN)
        self.poll.register(self.news, select.POLLIN)

    def serve(self) -> None:
        """Work until the control socket closes, and end what is left."""
        try:
            self.work()
        finally:
            self.end_all()

    def work(self) -> None:
        """Work until the control socket closes."""
        while True:
            for descriptor, _ in self.poll.poll():
                if descriptor == self.control.fileno():
                    if not self.take():
                        return
                elif descriptor == self.news:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.news, 4096)
                elif descriptor in self.sockets:
                    self.obey(descriptor)
            self.reap()

    def take(self) -> bool:
        """Read one request and start its process; False: there are no more."""
        head, descriptors, _, _ = socket.recv_fds(self.control, 4, 3)
        if not head:
            return False
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        left = int.from_bytes(head + self.rest(4 - len(head)), "big")
        request = json.loads(self.rest(left))
        channel = socket.socket(fileno=descriptors[0])
        try:
            pid = self.start(request, channel, descriptors[1], descriptors[2])
        except (OSError, ValueError) as error:
            # A ValueError is of a text that no process can be given.
            said = getattr(error, "strerror", None) or str(error)
            number = getattr(error, "errno", None) or errno.EINVAL
            answer(channel, {"error": said, "errno": number})
            channel.close()
        else:
            self.sockets[channel.fileno()] = channel
            self.pids[channel.fileno()] = pid
            self.poll.register(channel, select.POLLIN)
        finally:
            for descriptor in descriptors[1:]:
                os.close(descriptor)
        return True

    def rest(self, size: int) -> bytes:
        """Read so many bytes."""
        content = b""
        while len(content) < size:
            piece = self.control.recv(size - len(content))
            if not piece:
                raise SystemExit(1)
            content += piece
        return content

    def start(
        self, request: Any, channel: socket.socket, stdin: int, output: int
    ) -> int:
        """Start a process, in a session of its own, and return its number."""
        argv, env = request["argv"], {**self.environment, **request["env"]}
        if self.site is not None:
            return self.fork(self.site, request, channel, stdin, output)
        to = ((stdin, 0), (output, 1), (output, 2))
        pid = os.posix_spawn(
            argv[0],
            argv,
            env,
            file_actions=[(os.POSIX_SPAWN_DUP2, end, number) for end, number in to],
            setsid=True,
            setsigmask=(),
            setsigdef=_DEFAULTED,
        )
        answer(channel, {"pid": pid})
        return pid

    def fork(
        self,
        site: Callable[[Sequence[str]], int],
        request: Any,
        channel: socket.socket,
        stdin: int,
        output: int,
    ) -> int:
        """Fork, and run the site command in the child."""
        with warnings.catch_warnings():
            # The engine's allocator has threads from its import on, and forks with it.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid:
            return pid
        code = 3
        try:
            signal.set_wakeup_fd(-1)
            for defaulted in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(defaulted, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.setsid()
            for descriptor, number in ((stdin, 0), (output, 1), (output, 2)):
                os.dup2(descriptor, number)
            # Only now can a signal to the group reach it.
            answer(channel, {"pid": os.getpid()})
            for other in (self.control, channel, *self.sockets.values()):
                other.close()
            os.environ.update(request["env"])
            code = site(request["argv"])
        except BaseException:  # noqa: BLE001 - nothing may get out of the fork
            sys.excepthook(*sys.exc_info())
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()
            os._exit(code)

    def obey(self, descriptor: int) -> None:
        """Send the signals that were asked for; at the end of the socket, the last."""
        channel = self.sockets[descriptor]
        try:
            wanted = channel.recv(64) or bytes([signal.SIGKILL])
        except OSError:
            wanted = bytes([signal.SIGKILL])
        for number in wanted:
            to_group(self.pids[descriptor], number)
        if wanted[-1] == signal.SIGKILL:
            with contextlib.suppress(KeyError):
                self.poll.unregister(descriptor)  # its end alone is awaited

    def reap(self) -> None:
        """Tell of the processes that have ended."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            ours = [end for end, number in self.pids.items() if number == pid]
            for descriptor in ours:  # none if it was an orphan of one of ours
                with contextlib.suppress(KeyError):
                    self.poll.unregister(descriptor)
                del self.pids[descriptor]
                channel = self.sockets.pop(descriptor)
                peak = usage.ru_maxrss * _MAXRSS
                answer(channel, {"status": status, "peak": peak})
                channel.close()

    def end_all(self) -> None:
        """End the processes that still run: nobody waits for them any more."""
        for pid in self.pids.values():
            to_group(pid, signal.SIGKILL)
        while True:
            # Orphans are ours now, and may have left the groups of their sites.
            for pid in children():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


def children() -> list[int]:
    """Return our children, adopted ones too, where the system tells (Linux)."""
    own = os.getpid()
    try:
        with open(f"/proc/{own}/task/{own}/children") as found:  # noqa: PTH123 - pathlib takes its time to import
            return [int(pid) for pid in found.read().split()]
    except OSError:
        return []


def adopt() -> None:
    """Become the parent of orphans (Linux), so that none of them stays a zombie."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def to_group(pid: int, number: int) -> None:
    """Send a signal to a process and those that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def answer(channel: socket.socket, record: dict[str, Any]) -> None:
    """Write a line to whoever asked, if somebody still listens."""
    with contextlib.suppress(OSError):
        channel.sendall(json.dumps(record).encode() + b"\n")


def main(arguments: Sequence[str]) -> None:
    """Serve a socket.

    Args:
        arguments: its descriptor, and a folder for temporary files, if there is one,
            which is removed at the end; ``--warm`` before them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whoever has started this may have blocked signals, and SIGCHLD is needed.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    is_warm = arguments[0] == "--warm"
    number, *scratch = arguments[is_warm:]
    if scratch:
        os.environ["TMPDIR"] = scratch[0]
    adopt()
    try:
        with socket.socket(fileno=int(number)) as control:
            os.set_inheritable(control.fileno(), False)
            Server(control, warmed() if is_warm else None).serve()
    finally:
        if scratch:
            import shutil

            shutil.rmtree(scratch[0], ignore_errors=True)


def warmed() -> Callable[[Sequence[str]], int]:
    """Import the site command with all that it may need, and return it."""
    import gc

    from truthound.automation.site import main as site
    from truthound.automation.site import prepare

    prepare()
    gc.collect()
    gc.freeze()  # the forks share these pages, and no collection writes to them
    return site


if __name__ == "__main__":
    main(sys.argv[1:])
