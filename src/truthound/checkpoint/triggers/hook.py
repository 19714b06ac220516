"""``HookTrigger``: when somebody sends a request over HTTP."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from truthound.async_core._limit import check_count
from truthound.checkpoint._action import check_number
from truthound.checkpoint._signatures import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    is_id,
    is_one_of,
    is_signed,
    is_signed_as_github,
    key_of,
    secrets_of,
    time_of,
)
from truthound.checkpoint._trigger import PushTrigger, TriggerConfig, TriggerResult
from truthound.errors import ConfigurationError, TriggerError, did_you_mean
from truthound.secrets import Secret

SCHEMES = ("standard", "github", "bearer")
SHORTEST = 24  # bytes of a secret, says Standard Webhooks
GITHUB_ID = "x-github-delivery"
GITHUB_SIGNATURE = "x-hub-signature-256"
# These hold secrets, or what could be used again in place of one.
_KEPT_BACK = {"authorization", "proxy-authorization", "cookie", SIGNATURE}
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")

Call = Callable[[Mapping[str, Any], str | None], Awaitable[str]]


class HookRefusedError(TriggerError):
    """Raised when a request starts no run.

    Attributes:
        status: of the answer.
        retry_after: seconds after which it may be sent again; None: not at all.
        why: for the log, if the answer is not to say it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        retry_after: float | None = None,
        why: str | None = None,
    ) -> None:
        self.status = status
        self.retry_after = retry_after
        self.why: str = why or message
        super().__init__(message)


@dataclass
class HookConfig(TriggerConfig):
    """Options of a :class:`HookTrigger`.

    Attributes:
        hook: its name in the address: ``/hooks/NAME``; None: the checkpoint's.
        secret: one, or several of which any will do (while one takes the place of
            another); also as ``${NAME}``.
        scheme: how the sender shows that it knows the secret: standard (the headers of
            Standard Webhooks), github (``X-Hub-Signature-256``), or bearer (the secret
            itself is a token).
        unsigned: take requests from anybody; without a secret this has to be said.
        tolerance_seconds: how old a signed message may be, or how far ahead its clock;
            for the scheme standard.
        max_body_bytes: a request with a larger body is refused.
        headers: whose values a run gets to know, too.
        max_concurrent: how many runs of its checkpoint may be under way, those included
            that wait for a slot; then the answer is 429.
    """

    hook: str | None = None
    secret: Secret | str | Sequence[Secret | str] | None = None
    scheme: str = "standard"
    unsigned: bool = False
    tolerance_seconds: float = 300.0
    max_body_bytes: int = 2**20
    headers: Sequence[str] = ("content-type", "user-agent")
    max_concurrent: int = 100

    def check(self) -> None:
        super().check()
        self._check_name()
        if self.scheme not in SCHEMES:
            raise ConfigurationError(
                f"scheme is {', '.join(SCHEMES)}, not {self.scheme!r}"
                f"{did_you_mean(str(self.scheme), SCHEMES)}"
            )
        self.secret = secrets_of("secret", self.secret)
        if self.secret and self.unsigned:
            raise ConfigurationError("unsigned: give either a secret or unsigned: true")
        if not self.secret and not self.unsigned:
            raise ConfigurationError(
                "secret: it is missing; unsigned: true takes requests from anybody"
            )
        check_number("tolerance_seconds", self.tolerance_seconds)
        if self.tolerance_seconds <= 0:
            raise ConfigurationError("tolerance_seconds is more than 0")
        check_count("max_body_bytes", self.max_body_bytes)
        self._check_headers()

    def _check_name(self) -> None:
        name = self.hook
        if name is not None and (
            not isinstance(name, str) or not name or not name.isprintable()
        ):
            raise ConfigurationError(f"hook is a name in an address, not {name!r}")

    def _check_headers(self) -> None:
        given = self.headers
        if isinstance(given, str) or not all(
            isinstance(name, str) and _HEADER.match(name) for name in given
        ):
            raise ConfigurationError(
                f"headers is a list of names of headers, not {given!r}"
            )
        self.headers = tuple(name.lower() for name in given)
        for name in self.headers:
            if name in _KEPT_BACK:
                raise ConfigurationError(f"headers: {name} is not shown to runs")


class HookTrigger(PushTrigger[HookConfig]):
    """Runs when a request comes to ``POST /hooks/NAME``, once for each message.

    ``truthound hooks`` listens for requests, and so does whatever serves
    :func:`truthound.checkpoint.hooks.hooks_app`. A message that comes again, by its id,
    starts no second run. A run's metadata has the request as ``hook`` (``name``,
    ``id``, ``body``, ``headers``), and ``idempotency_key`` if the message has an id.

    Example:
        >>> trigger = HookTrigger(hook="rides", secret="${HOOK_SECRET}")
        >>> trigger.path_name
        'rides'
    """

    trigger_type: str = "hook"

    def __init__(self, config: HookConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self.on_call: Call | None = None  # set by the runner, while it runs

    @property
    def path_name(self) -> str:
        """The name in the address."""
        given = self._config.hook
        return given if given is not None else str(getattr(self.checkpoint, "name", ""))

    def validate_config(self) -> list[str]:
        if self._config.unsigned:
            return []
        try:
            shortest = min(map(len, self._keys()))
        except ConfigurationError as error:
            return [str(error)]
        if self._config.scheme == "standard" and shortest < SHORTEST:
            return [
                f"secret: it holds {shortest} bytes; Standard Webhooks wants "
                f"{SHORTEST} and more, such as 'openssl rand -base64 32' prints"
            ]
        return []

    def wait_for(self, now: float) -> float | None:
        return None  # a run is begun where the request is answered

    def take(self) -> TriggerResult:
        return TriggerResult(False, "a request starts the run itself")

    def checked(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """Return the id of a message, if it has one and is from who it should be.

        Args:
            headers: of the request, with names in lower case.
            body: of the request, as it came.

        Raises:
            HookRefusedError: it is not, or lacks what would tell.
            ConfigurationError: the secret refers to a variable that is not set.
        """
        config: Any = self._config
        if config.unsigned:
            return _given_id(headers, ID)
        if config.scheme == "bearer":
            kind, _, token = headers.get("authorization", "").partition(" ")
            if kind.lower() != "bearer" or not is_one_of(self._keys(), token.strip()):
                raise _unauthorized("the token is missing or wrong")
            return _given_id(headers, ID)
        if config.scheme == "github":
            given = headers.get(GITHUB_SIGNATURE, "")
            if not is_signed_as_github(self._keys(), body, given):
                raise _unauthorized(f"{GITHUB_SIGNATURE} is missing or wrong")
            return _given_id(headers, GITHUB_ID)
        return self._standard(headers, body)

    async def call(self, context: Mapping[str, Any], id_: str | None) -> str:
        """Start a run, and return its id when it is written down as accepted.

        Args:
            context: for the metadata of its result.
            id_: of the message; for one that was here before its run is returned.

        Raises:
            HookRefusedError: no run can be started now.
        """
        if self.on_call is None:
            raise HookRefusedError(503, "not running", 10.0)
        return await self.on_call(context, id_)

    def told(self, headers: Mapping[str, str], body: Any, id_: str | None) -> Any:
        """Return what a run is to know of a request."""
        name = self.path_name
        hook = {
            "name": name,
            "id": id_,
            "body": body,
            "headers": {h: headers[h] for h in self._config.headers if h in headers},
        }
        if id_ is None:
            return {"hook": hook}
        return {"hook": hook, "idempotency_key": quote(f"hook:{name}:{id_}", ":._-")}

    def _standard(self, headers: Mapping[str, str], body: bytes) -> str:
        id_, moment = headers.get(ID, ""), headers.get(TIMESTAMP, "")
        sent = time_of(moment)
        if not is_id(id_):
            raise HookRefusedError(400, f"the header {ID} is missing, or is no id")
        if sent is None:
            raise HookRefusedError(
                400, f"the header {TIMESTAMP} is missing, or holds no seconds"
            )
        given = headers.get(SIGNATURE, "")
        is_ours = is_signed(self._keys(), id_, moment, body, given)
        late = self.clock.now().timestamp() - sent
        if not is_ours:
            raise _unauthorized(f"{SIGNATURE} is missing or wrong")
        if abs(late) > self._config.tolerance_seconds:
            raise _unauthorized(f"it is {late:.0f} s old by the sender's clock")
        return id_

    def _keys(self) -> Any:
        config: Any = self._config
        if config.scheme == "standard":
            return [key_of("secret", one) for one in config.secret]
        texts = [one.reveal() for one in config.secret]
        if not all(texts):
            raise ConfigurationError("secret: it is empty")
        if config.scheme == "bearer":
            return texts
        return [text.encode() for text in texts]


def _given_id(headers: Mapping[str, str], name: str) -> str | None:
    id_ = headers.get(name)
    if id_ is not None and not is_id(id_):
        raise HookRefusedError(400, f"the header {name} holds no id")
    return id_


def _unauthorized(why: str) -> HookRefusedError:
    return HookRefusedError(401, "unauthorized", why=why)
