"""Actions that send something over HTTP: one try of one request."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlsplit

import httpx2

from truthound._clock import SYSTEM_CLOCK
from truthound.async_core._http_call import SECRET_ADDRESS
from truthound.async_core._policy import parse_retry_after
from truthound.checkpoint._action import ActionConfig, NativeAction
from truthound.checkpoint._clients import prepare, shared_client
from truthound.checkpoint.actions._sent import SENT, Sent
from truthound.checkpoint.model import CheckpointResult, CheckpointStatus
from truthound.errors import ActionError, ConfigurationError
from truthound.secrets import Secret, without_password

# Imported now: at its first use a loop would stand still for half a second.
prepare()

A = TypeVar("A", bound=ActionConfig)

# After these the same request may succeed: RFC 9110 (408, 500, 502-504), RFC 6585
# (429), RFC 8470 (425).
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
SHOWN = 200  # characters of an answer that refuses


class SendingAction(NativeAction[A], Generic[A]):
    """Base of actions that send a request, to an address that is a secret."""

    def _secrets(self) -> list[Secret]:
        """Return what must not be seen in messages."""
        return []

    def _safe(self, message: str) -> str:
        for secret in self._secrets():
            message = secret.conceal(message)
        return message

    def _note_sent(
        self, way: str, address: str, headers: Mapping[str, str], body: str
    ) -> None:
        """Note what is sent, for whoever wants to see it."""
        noted = SENT.get()
        if noted is not None:
            shown = {key: self._safe(value) for key, value in headers.items()}
            noted.append(
                Sent(
                    way=way,
                    address=address,
                    headers=shown,
                    body=self._safe(body),
                )
            )

    def _problems_of(self, option: str, address: Secret) -> list[str]:
        """Return what is wrong with an address, in words."""
        try:
            check_address(option, address)
        except ConfigurationError as error:
            return [str(error)]
        return []

    async def _send(
        self,
        method: str,
        address: Secret,
        *,
        headers: dict[str, str],
        body: Any = None,
        accepted: Collection[int] | None = None,
        verify: bool = True,
    ) -> Any:
        """Send a request once and return the answer.

        Args:
            method: as HTTP has it.
            address: where to.
            headers: of the request.
            body: a text, or what becomes JSON; None for none.
            accepted: statuses that mean yes; None: those from 200 to 299.
            verify: ask the server who it is.

        Raises:
            ActionError: the server is not there, or says no.
            ConfigurationError: the address is none, or refers to a variable that is not
                set.
        """
        url = check_address("the address", address)
        host = urlsplit(url).hostname
        options: dict[str, Any] = {"headers": headers}
        if body is not None:
            is_text = isinstance(body, str)
            text = body if is_text else json.dumps(body, allow_nan=False)
            options["content"] = text.encode("utf-8", "replace")
            if not any(name.lower() == "content-type" for name in headers):
                kind = "text/plain; charset=utf-8" if is_text else "application/json"
                options["headers"] = {**headers, "Content-Type": kind}
        if SENT.get() is not None:
            where = f"{urlsplit(url).scheme}://{host}/***"
            shown = options.get("content", b"").decode()
            self._note_sent(method, where, options["headers"], shown)
        hidden = SECRET_ADDRESS.set(True)
        async with shared_client() as shared:
            try:
                answer = await shared.client(verify=verify).request(
                    method, url, **options
                )
            except httpx2.RequestError as error:
                # "POST https://…: why"; the address stays out of it.
                why = str(error).removeprefix(f"{method} {without_password(url)}: ")
                kind = type(error).__name__
                raise ActionError(f"{host}: {kind}: {why}") from error
            finally:
                SECRET_ADDRESS.reset(hidden)
        status = answer.status_code
        if status in accepted if accepted is not None else 200 <= status < 300:
            return answer
        said = " ".join(self._safe(answer.text).split())[:SHOWN]
        raise ActionError(
            f"{host} answered {status}{': ' + said if said else ''}",
            retry_after=parse_retry_after(
                answer.headers.get("Retry-After"), SYSTEM_CLOCK.now()
            ),
            is_final=status not in TRANSIENT,
        )

    def _key(self, checkpoint_result: CheckpointResult) -> str:
        """Return a key that is the same for every try to send this.

        A message that a broker delivers again has another run, and the same key; that
        the first one could not be completed is news of its own.
        """
        result = checkpoint_result
        about = (result.metadata or {}).get("idempotency_key")
        if isinstance(about, str) and about:
            about = f"{result.checkpoint_name}:{about}"
            if result.status == CheckpointStatus.ERROR:
                about += ":error"
        # Headers hold ASCII only.
        return quote(f"{about or result.run_id}:{self.name}", safe=":._-")


def check_address(option: str, address: Secret) -> str:
    """Return the address that an option holds.

    Raises:
        ConfigurationError: it is none of http or https.
    """
    url = address.reveal()
    wrong = f"{option}: expected an address that begins with https:// or http://"
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError:
        # Its text may hold what nobody should see.
        raise ConfigurationError(f"{wrong} and a host, with a port or not") from None
    if scheme not in ("http", "https") or not host:
        raise ConfigurationError(wrong + (f", not {scheme}:" if scheme else ""))
    return url


def secret(option: str, given: Any, *, needed: bool = False) -> Secret:
    """Return an option as a secret.

    Raises:
        ConfigurationError: it is no text, or missing.
    """
    try:
        found = Secret(given or "")
    except ConfigurationError as error:
        raise ConfigurationError(f"{option}: {error}") from None
    if needed and not found:
        raise ConfigurationError(f"the option {option} is missing")
    return found
