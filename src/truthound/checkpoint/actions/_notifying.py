"""Actions that tell people: what they are told, and whether they are."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import quote, urlsplit

from truthound.checkpoint._action import ActionConfig, NotifyCondition, check_number
from truthound.checkpoint._alert_policy import AlertPolicy, policy_of
from truthound.checkpoint._book import BOOK, MemoryBook
from truthound.checkpoint._tries import TESTING
from truthound.checkpoint.actions._alerting import Alerting, tags_of
from truthound.checkpoint.actions._sending import SendingAction
from truthound.checkpoint.messages.message import Message, MessageKind, message_of
from truthound.checkpoint.model import (
    ActionResult,
    CheckpointResult,
    CheckpointStatus,
)
from truthound.errors import ConfigurationError, StoreError

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

PLACES = ("checkpoint", "run_id", "status")  # that a link may name, in braces


@dataclass
class NotificationConfig(ActionConfig):
    """What can be said about any notification, besides what every action has.

    Attributes:
        include_details: name the failed checks, up to ten, the worst first.
        include_examples: so many example rows of each of them; 0 for none. Values of
            columns that a checkpoint redacts are in no result, so in no message either.
        custom_message: stands before the rest; escaped.
        links: by label, addresses of pages; ``{checkpoint}``, ``{run_id}`` and
            ``{status}`` in them are filled in.
        alerts: when it is sent: a :class:`AlertPolicy`, its options, or ``change`` or
            ``every``; None: after each run that ``notify_on`` names.
    """

    alerts_unsaid: ClassVar[str | None] = None  # what None means for ``alerts``

    notify_on: NotifyCondition | str = NotifyCondition.NOT_SUCCESS
    include_details: bool = True
    include_examples: int = 0
    custom_message: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    alerts: AlertPolicy | Mapping[str, Any] | str | None = None

    def check(self) -> None:
        super().check()
        unsaid = self.alerts_unsaid if self.alerts is None else self.alerts
        self.alerts = policy_of(unsaid)
        check_number("include_examples", self.include_examples, kind=int)
        links = self.links
        if not isinstance(links, Mapping):
            raise ConfigurationError(
                f"links is a mapping of labels to addresses, not {links!r}"
            )
        for label, address in links.items():
            if not isinstance(label, str) or not label:
                raise ConfigurationError(f"links: a label is a text, not {label!r}")
            if not isinstance(address, str) or urlsplit(
                address.replace("{", "").replace("}", "")
            ).scheme not in ("http", "https"):
                raise ConfigurationError(
                    f"links: {label}: expected an address that begins with https:// or "
                    f"http://, not {address!r}"
                )


N = TypeVar("N", bound=NotificationConfig)


class Notification(SendingAction[N], Generic[N]):
    """Base of notifications: a subclass has ``_notify``, which sends one message.

    What is told a second time for the same run has the same idempotency key.
    """

    # Whether a resolve is sent also if it is not known that somebody was told.
    resolves_unknown: bool = False

    def __init__(self, config: N | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self._own_book = MemoryBook()

    def should_run(self, status: CheckpointStatus | str) -> bool:
        """Tell whether it is to see a run that ended so; a policy has to see all."""
        if self._config.alerts is not None:
            return self.enabled
        return super().should_run(status)

    def is_wanted(self, status: CheckpointStatus | str) -> bool:
        """Tell whether ``notify_on`` names a status."""
        return NotifyCondition(self._config.notify_on).should_notify(status)

    async def _notify(
        self, message: Message, checkpoint_result: CheckpointResult
    ) -> ActionResult:
        """Send a message, once.

        Args:
            message: what to tell.
            checkpoint_result: about which it is.

        Returns:
            The result of the action. ``details["thread"]``, if it is there, is how the
            channel calls the message; later ones of the same incident get it as
            ``message.thread``.

        Raises:
            ActionError: the other side is not there, or says no.
        """
        raise NotImplementedError(f"{type(self).__name__} has no _notify()")

    async def _execute_async(self, checkpoint_result: CheckpointResult) -> ActionResult:
        if TESTING.get():
            message = self._message(checkpoint_result, kind=MessageKind.TEST)
            return await self._notify(message, checkpoint_result)
        policy: Any = self._config.alerts
        book = BOOK.get() or self._own_book
        if policy is not None:
            return await Alerting(self, policy, book).tell(checkpoint_result)
        if why := await self._muted(checkpoint_result, book):
            return self.result("skipped", why)
        message = self._message(checkpoint_result)
        if message.is_bad:
            message = await _dated(message, book)
        return await self._notify(message, checkpoint_result)

    async def _muted(self, result: CheckpointResult, book: MemoryBook) -> str | None:
        """Say why nobody is to be told; None: somebody is, or has asked for it."""
        if book.is_hurried:
            return None
        name, tags = result.checkpoint_name, tags_of(result)
        try:
            return await book.mute(name, tags, self.clock.now())
        except StoreError as error:
            logger.warning("%s: what is muted is not known: %s", result.run_id, error)
            return None

    def _message(self, checkpoint_result: CheckpointResult, **more: Any) -> Message:
        """Return the message about a result, as the configuration wants it."""
        config = self._config
        return message_of(
            checkpoint_result,
            details=config.include_details,
            examples=config.include_examples,
            note=config.custom_message,
            links=_links(config.links, checkpoint_result),
            tags=tags_of(checkpoint_result),
            **more,
        )


async def _dated(message: Message, book: MemoryBook) -> Message:
    """Return a message that says since when it is so, if that is to be known."""
    try:
        found = await book.since(message.checkpoint)
    except StoreError as error:
        logger.warning("%s: since when is not known: %s", message.run_id, error)
        return message
    if found is None:
        return message
    return replace(message, since=found[0], runs=max(1, found[1]))


def _links(links: Mapping[str, str], result: CheckpointResult) -> dict[str, str]:
    known = {
        "checkpoint": result.checkpoint_name,
        "run_id": result.run_id,
        "status": str(result.status),
    }
    found = {}
    for label, address in links.items():
        filled = address
        for place in PLACES:
            filled = filled.replace(f"{{{place}}}", quote(known[place], safe=""))
        found[label] = filled
    return found
