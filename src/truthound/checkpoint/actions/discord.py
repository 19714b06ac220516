"""``DiscordNotification``: a message in a Discord channel, by a webhook."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from truthound.checkpoint.actions._notifying import NotificationConfig
from truthound.checkpoint.actions._saying import (
    ChatNotification,
    ids_of,
    told,
    wait_of,
    wakes,
    with_query,
)
from truthound.checkpoint.actions._sending import check_address, secret
from truthound.checkpoint.messages.discord import discord_embeds
from truthound.checkpoint.messages.limits import DISCORD_CONTENT, DISCORD_USERNAME
from truthound.checkpoint.messages.message import Message
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ConfigurationError
from truthound.secrets import Secret


@dataclass
class DiscordConfig(NotificationConfig):
    """Options of a :class:`DiscordNotification`.

    Attributes:
        webhook_url: of a channel; a secret, also as ``${NAME}``.
        username: who seems to write; without "discord" and "clyde", which Discord
            refuses.
        avatar_url: and with which picture.
        mention_user_ids: whom to mention when the run is no success.
        mention_role_ids: and which roles.
        thread_id: of a thread of that channel to write to.
    """

    webhook_url: Secret | str = ""
    username: str = "Truthound"
    avatar_url: str | None = None
    mention_user_ids: Sequence[str | int] = ()
    mention_role_ids: Sequence[str | int] = ()
    thread_id: str | int | None = None

    def check(self) -> None:
        super().check()
        self.webhook_url = secret("webhook_url", self.webhook_url, needed=True)
        name = self.username
        if not 1 <= len(name) <= DISCORD_USERNAME or re.search(
            r"discord|clyde|```|[@#:]|\A\s*(everyone|here)?\s*\Z", name, re.IGNORECASE
        ):
            raise ConfigurationError(
                f"username: Discord takes up to {DISCORD_USERNAME} characters without "
                f"@, #, :, 'discord' and 'clyde', not {name!r}"
            )
        for option in ("mention_user_ids", "mention_role_ids"):
            given = getattr(self, option)
            found = ids_of(option, given, "the id of somebody, which is a number")
            setattr(self, option, found)
        if len(_mentions(self)) > DISCORD_CONTENT:
            raise ConfigurationError(
                "mention_user_ids and mention_role_ids are too many for a message"
            )
        if self.avatar_url is not None:
            check_address("avatar_url", Secret(self.avatar_url))
        if self.thread_id is not None:
            wanted = "the id of a thread, which is a number"
            (self.thread_id,) = ids_of("thread_id", [self.thread_id], wanted)


class DiscordNotification(ChatNotification[DiscordConfig]):
    """Writes to Discord how a run ended, unless it is a success (``notify_on``).

    Whatever comes from the data is escaped, and nobody is mentioned but those whom the
    configuration names.

    Example:
        >>> DiscordNotification(webhook_url="${DISCORD_WEBHOOK}").webhook_url
        Secret(***)
    """

    action_type: str = "discord"

    def validate_config(self) -> list[str]:
        return self._problems_of("webhook_url", self._config.webhook_url)  # type: ignore[arg-type]

    def _secrets(self) -> list[Secret]:
        return [self._config.webhook_url]  # type: ignore[list-item]

    async def _notify(
        self, message: Message, checkpoint_result: CheckpointResult
    ) -> ActionResult:
        config: Any = self._config
        # Then the answer comes when the message is there, and has its id.
        query = {"wait": "true"}
        if config.thread_id is not None:
            query["thread_id"] = config.thread_id
        address = with_query(config.webhook_url, **query)
        answer = await self._post(address, self._payload(message), checkpoint_result)
        found = told(answer)
        if not 200 <= answer.status_code < 300:
            wait = wait_of(found.get("retry_after"))
            raise self._refusal(answer, found.get("message"), wait)
        details = {"message_id": str(found["id"])} if "id" in found else {}
        return self.result("success", "sent", **details)

    def _payload(self, message: Message) -> dict[str, Any]:
        config: Any = self._config
        allowed: dict[str, Any] = {"parse": []}
        payload: dict[str, Any] = {
            "username": config.username,
            "embeds": discord_embeds(message),
            "allowed_mentions": allowed,
        }
        if config.avatar_url:
            payload["avatar_url"] = config.avatar_url
        if wakes(message) and (config.mention_user_ids or config.mention_role_ids):
            allowed["users"] = config.mention_user_ids
            allowed["roles"] = config.mention_role_ids
            payload["content"] = _mentions(config)
        return payload


def _mentions(config: DiscordConfig) -> str:
    users = [f"<@{one}>" for one in config.mention_user_ids]
    return " ".join([*users, *(f"<@&{one}>" for one in config.mention_role_ids)])
