"""``CustomAction``: a function, or a command."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import shlex
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any

from truthound.async_core._tasks import undisturbed
from truthound.checkpoint._action import ActionConfig, NativeAction
from truthound.checkpoint._threads import ACTIONS, in_thread
from truthound.checkpoint._tries import TESTING
from truthound.checkpoint.actions._sent import SENT, Sent
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ActionError, ConfigurationError
from truthound.secrets import Secret

KEPT = 10_000  # characters of the end of what a command prints
GRACE = 2.0  # seconds between asking a command to end and ending it


@dataclass
class CustomConfig(ActionConfig):
    """Options of a :class:`CustomAction`: a callback or a command.

    Attributes:
        callback: called with the result: a function, a coroutine function, an object
            with ``__call__`` of either kind, or its place as ``package.module:name``.
        shell_command: for ``/bin/sh``; a list of a program and its arguments goes
            without one.
        environment: added to that of the command. What is a secret, as everything
            with ``${NAME}`` from a file, is ``***`` in what it prints.
        working_directory: of the command.
        pass_result_as_json: the command reads the result on standard input.
        capture_output: keep the end of what it prints in the details.
    """

    callback: Callable[[CheckpointResult], Any] | str | None = None
    shell_command: str | Secret | list[str | Secret] | None = None
    environment: Mapping[str, str | Secret] = field(default_factory=dict)
    working_directory: str | os.PathLike[str] | None = None
    pass_result_as_json: bool = True
    capture_output: bool = True

    def check(self) -> None:
        super().check()
        if (self.callback is None) == (not self.shell_command):
            raise ConfigurationError("expected either callback or shell_command")
        command = self.shell_command
        words = command if isinstance(command, list) else [command]
        if command is not None and not all(isinstance(w, (str, Secret)) for w in words):
            raise ConfigurationError(
                f"shell_command is a text, or a list of texts, not {command!r}"
            )
        if not isinstance(self.environment, Mapping):
            raise ConfigurationError(
                f"environment is a mapping of texts, not {self.environment!r}"
            )
        for name, value in self.environment.items():
            if not isinstance(name, str) or not isinstance(value, (str, Secret)):
                raise ConfigurationError(
                    f"environment: {name} is a text, not {value!r}"
                )
        if isinstance(self.callback, str):
            module, _, name = self.callback.partition(":")
            if not module or not name:
                raise ConfigurationError(
                    f"callback is a function, or package.module:name, not "
                    f"{self.callback!r}"
                )
        elif self.callback is not None and not callable(self.callback):
            raise ConfigurationError(
                f"callback is a function, not {type(self.callback).__name__}"
            )


class CustomAction(NativeAction[CustomConfig]):
    """Calls a function with the result, or runs a command.

    A function that blocks runs on a thread. What it returns decides: an
    ``ActionResult`` is the result, False a failure, a mapping goes into the details. A
    command that ends with another code than 0 is a failure; what is in the data never
    becomes part of its command line. It knows ``TRUTHOUND_CHECKPOINT``,
    ``TRUTHOUND_RUN_ID`` and ``TRUTHOUND_STATUS``, in a test ``TRUTHOUND_TEST``, and is
    ended with all its children when its time is over.

    Example:
        >>> action = CustomAction(callback=lambda result: print(result.status))
        >>> action.action_type
        'custom'
    """

    action_type: str = "custom"

    def validate_config(self) -> list[str]:
        if isinstance(self._config.callback, str):
            try:
                found(self._config.callback)
            except ConfigurationError as error:
                return [str(error)]
        try:
            for secret in self._secrets():
                secret.reveal()
        except ConfigurationError as error:
            return [str(error)]
        folder = self._config.working_directory
        if folder is not None and not os.path.isdir(folder):  # noqa: PTH112 - a text
            return [f"working_directory: there is no folder {folder}"]
        return []

    def _secrets(self) -> list[Secret]:
        """Return what must not be seen in what a command prints."""
        given = self._config.shell_command
        command = given if isinstance(given, list) else [given]
        values = [*self._config.environment.values(), *command]
        return [value for value in values if isinstance(value, Secret)]

    def _safe(self, message: str) -> str:
        for secret in self._secrets():
            message = secret.conceal(message)
        return message

    async def _execute_async(self, checkpoint_result: CheckpointResult) -> ActionResult:
        if self._config.callback is None:
            return await self._run(checkpoint_result)
        callback: Any = self._config.callback
        if isinstance(callback, str):
            # Its module is imported by the first call, which may take its time.
            callback = await in_thread(partial(found, callback), ACTIONS)
        returned = await _called(callback, checkpoint_result)
        if isinstance(returned, ActionResult):
            return returned
        if returned is False:
            return self.result("failure", "the callback returned False")
        ended = self.result("success", returned if isinstance(returned, str) else "")
        if isinstance(returned, Mapping):
            ended.details = {str(key): value for key, value in returned.items()}
        return ended

    def _is_threaded(self) -> bool:
        given = self._config.callback
        return given is not None and not awaits(given)

    async def _run(self, result: CheckpointResult) -> ActionResult:
        config = self._config
        given = config.shell_command or ""
        words = list(given) if isinstance(given, list) else ["/bin/sh", "-c", given]
        command = [revealed(word) for word in words]
        own = {name: revealed(value) for name, value in config.environment.items()}
        content = b""
        if config.pass_result_as_json:
            content = json.dumps(result.to_dict()).encode()
        output = asyncio.subprocess.PIPE
        if not config.capture_output:
            output = asyncio.subprocess.DEVNULL
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                cwd=config.working_directory,
                env={**os.environ, **_variables(result), **own},
                start_new_session=True,
            )
        )
        try:
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await undisturbed(_ended_when_started(starting))
            raise
        except OSError as error:
            what = error.filename or command[0]
            raise ActionError(f"{what}: {error.strerror}", is_final=True) from None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_fed(process, content))
                reading = group.create_task(_end_of(process))
                group.create_task(process.wait())
        except BaseException:
            await undisturbed(_ended(process))
            raise
        # What is cut first would show the end of a secret.
        printed, code = self._safe(reading.result())[-KEPT:], process.returncode
        self._note_sent(words, printed)
        details: dict[str, Any] = {"exit_code": code, "output": printed}
        if code:
            told = f"exit code {code}" if code > 0 else f"killed by signal {-code}"
            return self.result("failure", told, error=told, **details)
        return self.result("success", "exit code 0", **details)

    def _note_sent(self, words: Sequence[str | Secret], printed: str) -> None:
        noted = SENT.get()
        if noted is not None:
            command = shlex.join(map(str, words))
            noted.append(Sent(way="COMMAND", address=command, headers={}, body=printed))


def revealed(text: str | Secret) -> str:
    """Return a text that may be a secret."""
    return text.reveal() if isinstance(text, Secret) else text


def found(callback: Any) -> Callable[[CheckpointResult], Any]:
    """Return a callback that may be given as ``package.module:name``.

    Raises:
        ConfigurationError: there is no such thing.
    """
    if not isinstance(callback, str):
        given: Callable[[CheckpointResult], Any] = callback
        return given
    module, _, name = callback.partition(":")
    try:
        place: Any = import_module(module)
        for part in name.split("."):
            place = getattr(place, part)
    except Exception as error:
        kind = type(error).__name__
        raise ConfigurationError(f"callback {callback}: {kind}: {error}") from error
    if not callable(place):
        raise ConfigurationError(f"callback {callback} is no function")
    named: Callable[[CheckpointResult], Any] = place
    return named


def awaits(callback: Any) -> bool:
    """Tell whether a callback is a coroutine function, or an object with one."""
    if isinstance(callback, str):
        callback = found(callback)
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(
        getattr(callback, "__call__", None)  # noqa: B004 - of an object
    )


async def _called(callback: Any, result: CheckpointResult) -> Any:
    if awaits(callback):
        return await callback(result)
    returned = await in_thread(lambda: callback(result), ACTIONS)
    # A plain function may return something to await, which belongs to this loop.
    return await returned if inspect.isawaitable(returned) else returned


def _variables(result: CheckpointResult) -> dict[str, str]:
    return {
        **({"TRUTHOUND_TEST": "1"} if TESTING.get() else {}),
        "TRUTHOUND_CHECKPOINT": result.checkpoint_name,
        "TRUTHOUND_RUN_ID": result.run_id,
        "TRUTHOUND_STATUS": str(result.status),
    }


async def _fed(process: asyncio.subprocess.Process, content: bytes) -> None:
    """Write the input; a command need not read it."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(content)
        await process.stdin.drain()
    process.stdin.close()


async def _end_of(process: asyncio.subprocess.Process) -> str:
    """Return the end of what a command prints, however much that is."""
    if process.stdout is None:
        return ""
    kept = b""
    while chunk := await process.stdout.read(65_536):
        kept = (kept + chunk)[-4 * KEPT :]
    return kept.decode("utf-8", "replace")


async def _ended_when_started(
    starting: asyncio.Future[asyncio.subprocess.Process],
) -> None:
    with contextlib.suppress(OSError):
        await _ended(await starting)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End a command with its children: asked first, then not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await process.wait()
    # Closes the pipes that a child may still hold.
    process._transport.close()  # type: ignore[attr-defined]
