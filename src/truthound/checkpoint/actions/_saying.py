"""What chat services have in common: how they say no, and addresses of theirs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode, urlsplit, urlunsplit

from truthound._clock import SYSTEM_CLOCK
from truthound.async_core._policy import parse_retry_after
from truthound.checkpoint.actions._notifying import Notification, NotificationConfig
from truthound.checkpoint.actions._sending import SHOWN, TRANSIENT, check_address
from truthound.checkpoint.messages.message import Message, MessageKind
from truthound.checkpoint.model import CheckpointResult
from truthound.errors import ActionError, ConfigurationError
from truthound.secrets import Secret

N = TypeVar("N", bound=NotificationConfig)
_ANY = range(100, 600)


class ChatNotification(Notification[N], Generic[N]):
    """Base of notifications to chat services: one payload, made from a message."""

    def _payload(self, message: Message) -> dict[str, Any]:
        """Return what is sent of a message."""
        raise NotImplementedError(f"{type(self).__name__} has no _payload()")

    def _build_payload(self, checkpoint_result: CheckpointResult) -> dict[str, Any]:
        return self._payload(self._message(checkpoint_result))

    async def _post(
        self,
        address: Secret,
        payload: Mapping[str, Any],
        checkpoint_result: CheckpointResult,
        **headers: str,
    ) -> Any:
        """Send a payload once and return the answer, whatever it says."""
        key = self._key(checkpoint_result)
        return await self._send(
            "POST",
            address,
            headers={"Idempotency-Key": key, **headers},
            body=payload,
            accepted=_ANY,
        )

    def _refusal(self, answer: Any, why: Any, wait: float | None = None) -> ActionError:
        """Return the error that an answer is.

        Args:
            answer: that says no.
            why: what it says, in words.
            wait: seconds until to come back, if its body says so.
        """
        status, host = answer.status_code, urlsplit(str(answer.url)).hostname
        shown = " ".join(self._safe(str(why or answer.text)).split())[:SHOWN]
        header = parse_retry_after(
            answer.headers.get("Retry-After"), SYSTEM_CLOCK.now()
        )
        waits = [seconds for seconds in (header, wait) if seconds is not None]
        return ActionError(
            f"{host} answered {status}{': ' + shown if shown else ''}",
            retry_after=max(waits, default=None),
            is_final=status not in TRANSIENT,
        )


def wakes(message: Message) -> bool:
    """Tell whether people are to be mentioned: it is bad, and no test."""
    return message.is_bad and message.kind not in (
        MessageKind.TEST,
        MessageKind.RESOLVED,
    )


def told(answer: Any) -> dict[str, Any]:
    """Return the JSON object of an answer; an empty one if it has none."""
    try:
        found = json.loads(answer.text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def wait_of(value: Any) -> float | None:
    """Return what a service says of how long to wait, if that is a number."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < float("inf") else None


def with_query(address: Secret, **more: str) -> Secret:
    """Return an address with more in its query."""
    parts = urlsplit(check_address("the address", address))
    query = "&".join(part for part in (parts.query, urlencode(more)) if part)
    return Secret(urlunsplit(parts._replace(query=query)))


def check_base(option: str, address: str) -> None:
    """Raise ConfigurationError unless an address can stand before a path."""
    check_address(option, Secret(address))
    if "?" in address or "#" in address:
        raise ConfigurationError(f"{option}: expected an address without ? and #")


def ids_of(option: str, given: Any, wanted: str) -> list[str]:
    """Return ids that an option names, as a list of texts of digits.

    Raises:
        ConfigurationError: one is none.
    """
    is_one = isinstance(given, str) or not isinstance(given, Iterable)
    some = [given] if is_one else list(given)
    found = [str(one).strip() for one in some]
    for one in found:
        if not one.isascii() or not one.isdigit():
            raise ConfigurationError(f"{option}: expected {wanted}, not {one!r}")
    return found
