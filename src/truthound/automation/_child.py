"""One process of a site: started, listened to, and ended with all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import os
import secrets
import select
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from io import FileIO
from pathlib import Path
from typing import Any, Literal, TypeVar

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.async_core._tasks import reraise
from truthound.automation._server import to_group
from truthound.automation._spawner import Channel, Spawner

KEPT = 10_000  # characters of the end of what a process prints
# Of what is in the pipe when a process has ended: 4 MB, and a pipe holds 1 MB at most.
# Somebody whom it has left behind may print without end.
LAST_READS = 64
STEP = 0.02  # seconds between two looks at what is left of a group
GIVE_UP = 30.0  # seconds after which a process that was killed is not waited for
# In the environment of a process and of all that it starts, however far they went.
MARK = "TRUTHOUND_SITE_PROCESS"

T = TypeVar("T")
End = Literal["exit", "signal", "timeout", "stopped", "lost", "crashed"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended.

    Attributes:
        by: ``exit``, ``signal`` (somebody else's), ``timeout``, ``stopped`` (it was
            given up), ``lost`` (it could not be ended, or nobody knows) or
            ``crashed`` (it did not get as far as what it is for).
        code: its exit code; None if there is none.
        signal: the signal that ended it.
        output: the end of what it printed; more than ``KEPT``, if there is more.
        peak: the most memory that it, or one that it started, has had, in bytes.
        seconds: from its start to its end.
    """

    by: End
    code: int | None = None
    signal: int | None = None
    output: str = ""
    peak: int | None = None
    seconds: float = 0.0


async def threaded(
    work: Callable[[], T], interrupts: Sequence[Callable[[], None]] = ()
) -> T:
    """Do blocking work on a thread of its own, and wait for its end in any case.

    Args:
        work: what is done.
        interrupts: called one by one when the waiting is cancelled, to make it end;
            the last one also for any further time.

    Raises:
        OSError: there can be no more threads; or as the work does.
    """
    loop = asyncio.get_running_loop()
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to who awaits
            done.set_exception(error)

    over = asyncio.wrap_future(done, loop=loop)
    try:
        threading.Thread(target=run, name="pipeline-site", daemon=True).start()
    except RuntimeError as error:
        over.cancel()
        raise OSError(errno.EAGAIN, str(error)) from error
    cancelled: asyncio.CancelledError | None = None
    steps = list(interrupts)
    while not over.done():
        try:
            await asyncio.wait([over])
        except asyncio.CancelledError as error:
            cancelled = error
            if steps:
                (steps.pop(0) if len(steps) > 1 else steps[0])()
    if cancelled is not None:
        over.exception()  # seen: asyncio need not complain
        reraise(cancelled)
    return over.result()


class Child:
    """A process that has not been started yet; it runs once.

    Args:
        spawner: starts it.
        argv: program and arguments.
        env: its environment.
        stdin: what it can read.
        seconds: how long it may take, from its start.
        grace: seconds between asking it to end and ending it.
        begin: called first, on the thread that runs it.
        sink: told of all that it prints, on the thread that runs it.
        judge: looks at how it ended, on that thread.
        clock: tells the time; for tests.

    Attributes:
        ended: how it ended; None before that.
    """

    def __init__(
        self,
        spawner: Spawner,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        stdin: bytes = b"",
        seconds: float,
        grace: float,
        begin: Callable[[], None],
        sink: Callable[[bytes], None],
        judge: Callable[[Ended], Ended] = lambda ended: ended,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._spawner = spawner
        self._argv = argv
        self._mark = secrets.token_hex(8)
        # A site that runs pipelines itself has a mark already, and theirs get both.
        self._env = {**env, MARK: os.environ.get(MARK, "") + self._mark}
        self._stdin = stdin
        self._seconds = seconds
        self._grace = grace
        self._begin = begin
        self._sink = sink
        self._judge = judge
        self._clock = clock
        self._lock = threading.Lock()
        self._wish = 0  # 1: to be asked to end, 2: to be ended
        self._wake = -1  # written to when the wish changes
        self._tail = b""
        self.ended: Ended | None = None

    def stop(self) -> None:
        """Ask it to end, with all that it started, and end it after the grace."""
        self._wants(1)

    def kill(self) -> None:
        """End it at once, with all that it started."""
        self._wants(2)

    async def run(self) -> Ended:
        """Run it on a thread of its own.

        If cancelled, it is asked to end and the cancellation goes on when it has; a
        second one ends it at once.

        Raises:
            OSError: it cannot be started.
        """
        return await threaded(self.run_blocking, (self.stop, self.kill))

    def run_blocking(self) -> Ended:
        """Run it. Interrupted (Ctrl-C), it is ended first; again, at once.

        Raises:
            OSError: it cannot be started.
        """
        self._begin()
        with contextlib.ExitStack() as ends:
            output, theirs = _pipe(ends)
            wake, tell = _pipe(ends)
            os.set_blocking(tell.fileno(), False)
            self._wake = tell.fileno()
            ends.callback(self._deaf)
            with theirs:
                channel = self._started(theirs.fileno())
            ends.callback(channel.close)
            watch = _Watch(channel, output.fileno(), wake.fileno())
            return self._watched(watch, self._clock.monotonic())

    def _deaf(self) -> None:
        with self._lock:
            self._wake = -1

    def _wants(self, wish: int) -> None:
        with self._lock:
            self._wish = max(self._wish, wish)
            if self._wake >= 0:
                with contextlib.suppress(BlockingIOError):
                    os.write(self._wake, b"!")

    def _started(self, output: int) -> Channel:
        if not self._stdin:
            with Path(os.devnull).open("rb") as nothing:
                return self._spawn(nothing.fileno(), output)
        # A file, as a pipe would have to be filled while it is read.
        with tempfile.TemporaryFile() as content:
            content.write(self._stdin)
            content.seek(0)
            return self._spawn(content.fileno(), output)

    def _spawn(self, stdin: int, output: int) -> Channel:
        try:
            return self._spawner.spawn(self._argv, self._env, stdin, output)
        except OSError:
            self._kill_marked()  # the server may have been killed just after the start
            raise

    def _kill_marked(self) -> None:
        for other in _marked(self._mark):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(other, signal.SIGKILL)

    def _watched(self, watch: _Watch, began: float) -> Ended:
        interrupt: BaseException | None = None
        while True:
            try:
                ended = self.ended = self._judge(self._watch(watch, began))
                break
            except Exception:
                watch.channel.signal(signal.SIGKILL)
                raise
            except BaseException as error:  # noqa: BLE001 - raised again below
                if interrupt is None:
                    self.stop()
                else:
                    self.kill()
                interrupt = error
        if interrupt is not None:
            reraise(interrupt)
        return ended

    def _watch(self, watch: _Watch, began: float) -> Ended:
        """Listen until the process has ended, and see to it that it does."""
        monotonic = self._clock.monotonic
        while watch.record is None:
            now = monotonic()
            if watch.asked == 0 and now >= began + self._seconds:
                watch.by = "timeout"
                watch.ask(signal.SIGTERM, 1, now + self._grace)
            if watch.asked < self._wish:
                watch.by = watch.by or "stopped"
                first = watch.asked == 0 and self._wish == 1
                number = signal.SIGTERM if first else signal.SIGKILL
                watch.ask(number, self._wish, now + (self._grace if first else GIVE_UP))
            elif watch.asked and now >= watch.until:
                if watch.asked == 2:
                    break
                watch.ask(signal.SIGKILL, 2, now + GIVE_UP)
            until = watch.until if watch.asked else began + self._seconds
            self._listen(watch, max(0.0, until - now))
        seconds = monotonic() - began
        self._sweep(watch)
        return self._ended(watch, seconds)

    def _listen(self, watch: _Watch, seconds: float) -> None:
        for end in watch.ready(seconds):
            if end == watch.output:
                self._read(watch)
            elif end == watch.wake:
                os.read(watch.wake, 4096)
            else:
                watch.record = watch.channel.record() or {}

    def _read(self, watch: _Watch) -> bool:
        try:
            piece = os.read(watch.output, 65_536)
        except BlockingIOError:
            return False
        if piece:
            self._tail = (self._tail + piece)[-5 * KEPT :]
            self._sink(piece)
        else:
            watch.closed()
        return bool(piece)

    def _sweep(self, watch: _Watch) -> None:
        """End what the process has started and left behind."""
        pid = watch.channel.pid
        if not watch.record:  # the server was killed, or the process cannot be
            to_group(pid, signal.SIGKILL)
        if _is_group(pid):
            to_group(pid, signal.SIGTERM)
            until = self._clock.monotonic() + min(self._grace, 1.0)
            while _is_group(pid) and self._clock.monotonic() < until:
                self._clock.sleep(STEP)
            to_group(pid, signal.SIGKILL)
        os.set_blocking(watch.output, False)
        for _ in range(LAST_READS):
            if not (watch.is_open and self._read(watch)):
                break
        if watch.asked or watch.is_open or not watch.record:
            self._kill_marked()

    def _ended(self, watch: _Watch, seconds: float) -> Ended:
        text = self._tail.decode("utf-8", "replace")
        record = watch.record
        if not record:
            return Ended(by="lost", output=text, seconds=seconds)
        code = os.waitstatus_to_exitcode(record["status"])
        by: End = "exit" if code >= 0 else "signal"
        return Ended(
            by=watch.by or by,
            code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            output=text,
            peak=record["peak"],
            seconds=seconds,
        )


class _Watch:
    """What is known of a process that runs."""

    def __init__(self, channel: Channel, output: int, wake: int) -> None:
        self.channel = channel
        self.output = output
        self.wake = wake
        self.is_open = True  # somebody may still print
        self.record: dict[str, Any] | None = None  # of its end
        self.by: End | None = None  # why it was asked to end
        self.asked = 0  # 1: SIGTERM was sent, 2: SIGKILL
        self.until = 0.0  # when the next step is due
        self._poll = select.poll()
        for end in (output, wake, channel.fileno()):
            self._poll.register(end, select.POLLIN)

    def ready(self, seconds: float) -> list[int]:
        """Wait for news and return the descriptors that have some."""
        # Less than a millisecond would be none, and days are too much for poll().
        wait = min(seconds * 1000 + 1, 3_600_000)
        return [end for end, _ in self._poll.poll(wait)]

    def closed(self) -> None:
        """Note that nobody will print any more."""
        self.is_open = False
        self._poll.unregister(self.output)

    def ask(self, number: int, step: int, until: float) -> None:
        """Send a signal to the process and its group."""
        self.asked, self.until = step, until
        self.channel.signal(number)


def _pipe(ends: contextlib.ExitStack) -> tuple[FileIO, FileIO]:
    reader, writer = os.pipe()
    return (
        ends.enter_context(FileIO(reader, "rb")),
        ends.enter_context(FileIO(writer, "wb")),
    )


def _is_group(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except (ProcessLookupError, PermissionError):  # macOS: only zombies are left
        return False
    return True


def _marked(mark: str) -> Iterator[int]:
    """Yield the processes that have a mark in their environment (Linux)."""
    if not sys.platform.startswith("linux"):
        return
    wanted = mark.encode()
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - names alone
    except OSError:  # no descriptor is free: what is left ends with the run
        return
    for name in names:
        if name.isdigit():
            with contextlib.suppress(OSError):
                content = Path("/proc", name, "environ").read_bytes()
                if wanted in content:
                    yield int(name)
