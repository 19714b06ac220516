"""HTTP in: ``POST /hooks/{name}`` starts a run, as an application of ASGI.

``truthound hooks`` serves it. A program of one's own mounts it where it likes:

    async with runner:
        app = Starlette(routes=[hooks_mount(runner)])

Answers are JSON: 202 with the ``run_id`` when the run is written down as accepted, else
an ``error`` in words, and ``Retry-After`` where it may be sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from truthound.checkpoint.triggers.hook import HookRefusedError, HookTrigger
from truthound.checkpoint.triggers.messages import _READER as READER
from truthound.errors import ConfigurationError, MissingDependencyError

try:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Mount, Route
except ImportError as _error:
    raise MissingDependencyError("starlette", "hooks", "HTTP in") from _error

if TYPE_CHECKING:
    from truthound.checkpoint.async_runner import AsyncCheckpointRunner

__all__ = ["hooks_app", "hooks_mount"]

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

BODY_SECONDS = 30.0  # that a body has to come
SHOWN = 100  # characters of a name that is logged
_TEXT = ("text/", "application/x-www-form-urlencoded", "application/xml")


def hooks_app(runner: AsyncCheckpointRunner, path: str = "/hooks") -> Starlette:
    """Return an application that starts runs by their hooks, under a path.

    Args:
        runner: whose checkpoints have hooks; it is started and stopped by others. While
            it does not run, the answer is 503.
        path: what stands before the names.

    Raises:
        ConfigurationError: two hooks of it have one name.
    """
    return Starlette(
        routes=[hooks_mount(runner, path)],
        exception_handlers={HTTPException: _failed, 500: _broken},
    )


def hooks_mount(runner: AsyncCheckpointRunner, path: str = "/hooks") -> Mount:
    """Return the same to be mounted in an application of one's own.

    Args:
        runner: as for :func:`hooks_app`.
        path: what stands before the names.

    Raises:
        ConfigurationError: two hooks of it have one name.
    """
    hooks = _Hooks(runner)
    return Mount(
        "/" + path.strip("/"),
        routes=[Route("/{name:path}", hooks.answer, methods=["POST"])],
    )


class _Hooks:
    """The hooks of a runner, by their names in addresses."""

    def __init__(self, runner: AsyncCheckpointRunner) -> None:
        self._runner = runner
        self._by_name = self._found()

    def _found(self) -> dict[str, HookTrigger]:
        found: dict[str, HookTrigger] = {}
        for checkpoint in self._runner.checkpoints.values():
            for trigger in getattr(checkpoint, "triggers", ()):
                if not isinstance(trigger, HookTrigger) or not trigger.enabled:
                    continue
                other = found.setdefault(trigger.path_name, trigger)
                if other is not trigger:
                    raise ConfigurationError(
                        f"hook: the checkpoints {other.checkpoint.name!r} and "
                        f"{checkpoint.name!r} have hooks of one name, "
                        f"{trigger.path_name!r}"
                    )
        return found

    def named(self, name: str) -> HookTrigger:
        """Return a hook; checkpoints may have been added and removed since.

        Raises:
            HookRefusedError: there is none of that name.
        """
        known = self._by_name.get(name)
        if known is None or known.on_call is None:
            self._by_name = self._found()
            known = self._by_name.get(name)
        if known is None:
            raise HookRefusedError(404, "no such hook")
        return known

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        try:
            run_id = await self._started(request)
        except HookRefusedError as error:
            name = request.path_params["name"][:SHOWN]
            # Names that there are not are asked for by whoever looks around.
            level = logging.INFO if error.status == 404 else logging.WARNING
            logger.log(level, "hook %r: %d, %s", name, error.status, error.why)
            return _refusal(error)
        except ConfigurationError as error:  # a variable was unset meanwhile
            logger.error("a hook cannot be used: %s", error)
            return _refusal(HookRefusedError(500, "it is not configured"))
        except ClientDisconnect:
            return _refusal(HookRefusedError(400, "the body did not come"))
        return JSONResponse({"run_id": run_id}, status_code=202)

    async def _started(self, request: Request) -> str:
        trigger = self.named(request.path_params["name"])
        headers = _joined(request)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise HookRefusedError(415, "expected a body that is not compressed")
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(request, trigger.config.max_body_bytes)
        except TimeoutError:
            raise HookRefusedError(408, "the body took too long") from None
        id_ = trigger.checked(headers, body)
        parsed = _parsed(headers.get("content-type", ""), body)
        return await trigger.call(trigger.told(headers, parsed, id_), id_)


def _joined(request: Request) -> Mapping[str, str]:
    """Return the headers; of one that came twice the values, joined."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


async def _body(request: Request, most: int) -> bytes:
    """Read a body, as long as it is not larger than allowed.

    Raises:
        HookRefusedError: it is, or is said to be.
    """
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said[:20]) > most:
        raise _too_large(most)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
    return b"".join(parts)


def _too_large(most: int) -> HookRefusedError:
    return HookRefusedError(413, f"the body has more than {most} bytes")


def _parsed(content_type: str, body: bytes) -> Any:
    """Return what a body holds: JSON, or a text.

    Raises:
        HookRefusedError: it is said to be JSON and is not, or is no text.
    """
    kind = content_type.partition(";")[0].strip().lower()
    is_json = kind == "application/json" or kind.endswith("+json")
    if kind and not is_json and not kind.startswith(_TEXT) and body:
        raise HookRefusedError(415, "expected JSON or a text")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise HookRefusedError(400, "expected UTF-8") from None
    if not is_json and kind:
        return text
    try:
        return READER.decode(text)
    except (ValueError, RecursionError):
        if is_json:
            raise HookRefusedError(400, "the body is no JSON") from None
        return text


def _refusal(error: HookRefusedError) -> Response:
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = f"{error.retry_after:.0f}"
    if error.status in (408, 413, 415):  # the rest of the body is not read
        headers["Connection"] = "close"
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": str(error)}, error.status, headers)


async def _failed(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    said = str(getattr(error, "detail", "")) or "failed"
    return JSONResponse({"error": said}, status, getattr(error, "headers", None))


async def _broken(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "it failed here"}, 500)
