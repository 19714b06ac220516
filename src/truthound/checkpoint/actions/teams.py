"""``TeamsNotification``: an Adaptive Card in a channel or chat of Microsoft Teams."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from truthound.checkpoint.actions._notifying import NotificationConfig
from truthound.checkpoint.actions._saying import ChatNotification, wakes
from truthound.checkpoint.actions._sending import secret
from truthound.checkpoint.messages.card import adaptive_card
from truthound.checkpoint.messages.limits import TEAMS_BYTES
from truthound.checkpoint.messages.message import Message
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ActionError, ConfigurationError
from truthound.secrets import Secret

MENTIONS = 20
ENVELOPE = 400  # bytes around the card
VERSIONS = ("1.2", "1.3", "1.4", "1.5")


@dataclass
class TeamsConfig(NotificationConfig):
    """Options of a :class:`TeamsNotification`.

    Attributes:
        webhook_url: of a workflow that begins "when a Teams webhook request is
            received"; a secret, also as ``${NAME}``.
        mention_on_failure: whom to mention when the run is no success: by name, their
            ids or addresses in Teams.
        card_version: of the schema of Adaptive Cards: 1.2 to 1.5.
        full_width: as wide as the channel.
    """

    webhook_url: Secret | str = ""
    mention_on_failure: Mapping[str, str] = field(default_factory=dict)
    card_version: str = "1.4"
    full_width: bool = True

    def check(self) -> None:
        super().check()
        self.webhook_url = secret("webhook_url", self.webhook_url, needed=True)
        self.card_version = str(self.card_version)
        if self.card_version not in VERSIONS:
            raise ConfigurationError(
                f"card_version is {', '.join(VERSIONS)}, not {self.card_version!r}"
            )
        given = self.mention_on_failure
        if not isinstance(given, Mapping):
            raise ConfigurationError(
                "mention_on_failure is a mapping of names to ids, such as "
                f"{{'On call': 'on.call@example.com'}}, not {given!r}"
            )
        if len(given) > MENTIONS:
            raise ConfigurationError(
                f"mention_on_failure: at most {MENTIONS} may be named"
            )
        for name, identity in given.items():
            if not isinstance(name, str) or not re.fullmatch(r"[^<>\n]{1,100}", name):
                raise ConfigurationError(
                    f"mention_on_failure: a name is a text without < and >, "
                    f"not {name!r}"
                )
            if not isinstance(identity, str) or not identity:
                raise ConfigurationError(
                    f"mention_on_failure: {name}: an id is a text, not {identity!r}"
                )


class TeamsNotification(ChatNotification[TeamsConfig]):
    """Sends to a workflow of Teams, as a card, how a run ended.

    Whatever comes from the data is plain text in it. A card that would be too large
    for Teams gets less in it.

    Example:
        >>> TeamsNotification(webhook_url="${TEAMS_WEBHOOK}").webhook_url
        Secret(***)
    """

    action_type: str = "teams"

    def validate_config(self) -> list[str]:
        return self._problems_of("webhook_url", self._config.webhook_url)  # type: ignore[arg-type]

    def _secrets(self) -> list[Secret]:
        return [self._config.webhook_url]  # type: ignore[list-item]

    async def _notify(
        self, message: Message, checkpoint_result: CheckpointResult
    ) -> ActionResult:
        answer = await self._send(
            "POST",
            self._config.webhook_url,  # type: ignore[arg-type]
            headers={"Idempotency-Key": self._key(checkpoint_result)},
            body=self._payload(message),
        )
        if "delivery failed" in answer.text:
            raise _failure(answer.text)
        return self.result("success", "sent", status_code=answer.status_code)

    def _payload(self, message: Message) -> dict[str, Any]:
        config = self._config
        whom = config.mention_on_failure if wakes(message) else {}
        card = adaptive_card(
            message,
            mentions={identity: name for name, identity in whom.items()},
            version=config.card_version,
            longest=TEAMS_BYTES - ENVELOPE,
            wide=config.full_width,
        )
        attachment = {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": card,
        }
        return {"type": "message", "attachments": [attachment]}


def _failure(said: str) -> ActionError:
    """Return the error in what old webhooks answer with status 200.

    "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP
    error 429 …".
    """
    status = re.search(r"HTTP error (\d{3})", said)
    words = f": HTTP error {status[1]}" if status else ""
    is_final = status is not None and status[1] not in ("429", "500", "502", "503")
    return ActionError(f"Teams did not deliver the message{words}", is_final=is_final)
