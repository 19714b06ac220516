"""``HeartbeatAction``: a ping for each run, to who gives the alarm when none comes."""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from truthound.checkpoint._action import ActionConfig, NotifyCondition
from truthound.checkpoint._tries import TESTING
from truthound.checkpoint.actions._sending import SendingAction, secret
from truthound.checkpoint.messages.message import MessageKind, message_of
from truthound.checkpoint.messages.text import as_text
from truthound.checkpoint.model import ActionResult, CheckpointResult, RunStart
from truthound.errors import ActionError, ConfigurationError, did_you_mean
from truthound.secrets import Secret

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

PROTOCOLS = ("healthchecks", "plain")
METHODS = ("POST", "GET", "HEAD")


@dataclass
class HeartbeatConfig(ActionConfig):
    """Options of a :class:`HeartbeatAction`.

    Attributes:
        url: to ping after a run; a secret, also as ``${NAME}``.
        protocol: ``healthchecks``: the address is one of Healthchecks, or of what
            understands the same: ``/start`` and ``/fail`` are added to it, and the id
            of the run as ``rid``. ``plain``: addresses are used as they are.
        fail_on: runs that are told as failed: as with ``notify_on``.
        fail_url: to ping after a run that failed; None: ``url`` with ``/fail``, and
            with ``plain`` nothing is sent then, so that the alarm goes off.
        start_url: to ping when a run begins; None: ``url`` with ``/start``, and with
            ``plain`` nothing.
        send_start: tell that a run begins.
        send_log: send how the run ended as the body, if the method has one.
        method: POST, GET or HEAD.
        ssl_verify: False: send to anybody who claims to be the server.
    """

    timeout_seconds: float = 10
    retry_count: int = 2
    retry_delay_seconds: float = 0.5
    url: Secret | str = ""
    protocol: str = "healthchecks"
    fail_on: NotifyCondition | str = NotifyCondition.FAILURE_OR_ERROR
    fail_url: Secret | str | None = None
    start_url: Secret | str | None = None
    send_start: bool = True
    send_log: bool = True
    method: str = "POST"
    ssl_verify: bool = True

    def check(self) -> None:
        super().check()
        self.url = secret("url", self.url, needed=True)
        for option in ("fail_url", "start_url"):
            given = getattr(self, option)
            setattr(self, option, secret(option, given) if given else None)
        self.method = str(self.method).upper()
        for option, given, known in (
            ("method", self.method, METHODS),
            ("protocol", self.protocol, PROTOCOLS),
            ("fail_on", str(self.fail_on), tuple(NotifyCondition)),
        ):
            if given not in known:
                raise ConfigurationError(
                    f"{option} is {', '.join(known)}, not {given!r}"
                    f"{did_you_mean(given, known)}"
                )
        self.fail_on = NotifyCondition(self.fail_on)


class HeartbeatAction(SendingAction[HeartbeatConfig]):
    """Pings an address when a run begins and when it has ended.

    Who is pinged gives the alarm when no ping comes in time: the checkpoint did not
    run, or its process is dead. A ping that fails is tried again at once, as
    ``retry_count`` says, and then given up: a late one would be wrong. It is never owed
    by the run, and what goes wrong with the start is only logged.

    Example:
        >>> HeartbeatAction(url="${HEARTBEAT_URL}").url
        Secret(***)
    """

    action_type: str = "heartbeat"
    is_owed: bool = False

    def __init__(self, config: HeartbeatConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        # Set when the start of a run was told, or given up: its end comes after that.
        self._starts: dict[str, asyncio.Event] = {}

    def validate_config(self) -> list[str]:
        config: Any = self._config
        found = []
        for option in ("url", "fail_url", "start_url"):
            if (given := getattr(config, option)) is not None:
                found += self._problems_of(option, given)
        return found

    def _secrets(self) -> list[Secret]:
        config: Any = self._config
        given = (config.url, config.fail_url, config.start_url)
        return [address for address in given if address is not None]

    async def on_run_start(self, start: RunStart) -> None:
        """Tell that a run has begun; what goes wrong is logged."""
        address = self._start_address(start.run_id)
        if address is None:
            return
        told = self._starts[start.run_id] = asyncio.Event()
        # The end waits for it within its own limit, and shall have time enough.
        seconds = self._config.timeout_seconds / 2 or None
        try:
            async with asyncio.timeout(seconds):
                await self._ping(address, None)
        except (ActionError, ConfigurationError, TimeoutError) as error:
            said = self._safe(str(error)) or f"no answer within {seconds} s"
            logger.warning("%s: not told of the start: %s", self.name, said)
        finally:
            self._starts.pop(start.run_id, None)
            told.set()

    async def _execute_async(self, checkpoint_result: CheckpointResult) -> ActionResult:
        if (start := self._starts.get(checkpoint_result.run_id)) is not None:
            await start.wait()
        config: Any = self._config
        verb, address = self._end_address(checkpoint_result)
        if address is None:
            return self.result("skipped", "the run failed: no ping, and no fail_url")
        body = None
        if config.send_log and config.method == "POST":
            kind = MessageKind.TEST if TESTING.get() else MessageKind.RUN
            # A few kilobytes at most; Healthchecks keeps 100 of them.
            body = as_text(message_of(checkpoint_result, kind=kind))
        answer = await self._ping(address, body)
        return self.result(
            "success", f"pinged: {verb}", status_code=answer.status_code, ping=verb
        )

    async def _ping(self, address: Secret, body: str | None) -> Any:
        config: Any = self._config
        answer = await self._send(
            config.method, address, headers={}, body=body, verify=config.ssl_verify
        )
        if config.protocol == "healthchecks":
            _refuse(answer.text.strip().lower())
        return answer

    def _start_address(self, run_id: str) -> Secret | None:
        config: Any = self._config
        if not config.send_start or TESTING.get():
            return None
        if config.start_url is not None or config.protocol == "plain":
            address: Secret | None = config.start_url
            return address
        return _beneath(config.url, "/start", run_id)

    def _end_address(self, result: CheckpointResult) -> tuple[str, Secret | None]:
        config: Any = self._config
        is_plain = config.protocol == "plain"
        if TESTING.get():  # noted there, and changes nothing
            if is_plain:
                return "success", config.url
            return "log", _beneath(config.url, "/log", result.run_id)
        if config.fail_on.should_notify(result.status):
            if config.fail_url is not None or is_plain:
                return "fail", config.fail_url
            return "fail", _beneath(config.url, "/fail", result.run_id)
        if is_plain:
            return "success", config.url
        return "success", _beneath(config.url, "", result.run_id)


def _refuse(said: str) -> None:
    """Raise if an answer with a good status says that nothing was noted.

    Healthchecks has kept the status 200 for addresses with a UUID ("Pinging API").
    """
    if said.startswith("ok (") and said.endswith(")"):
        raise ActionError(
            f"the answer is 200, but {said[3:]}", is_final="rate" not in said
        )


def _beneath(address: Secret, suffix: str, run_id: str) -> Secret:
    """Return an address with a suffix of its path and the id of a run.

    Healthchecks wants a UUID: the same one for all pings of a run.
    """
    parts = urlsplit(address.reveal())
    rid = f"rid={uuid.uuid5(uuid.NAMESPACE_URL, run_id)}"
    query = f"{parts.query}&{rid}" if parts.query else rid
    path = parts.path.rstrip("/") + suffix
    return Secret(urlunsplit((parts.scheme, parts.netloc, path, query, "")))
