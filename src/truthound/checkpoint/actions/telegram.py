"""``TelegramNotification``: a message in a Telegram chat, by a bot."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any

from truthound.checkpoint.actions._notifying import NotificationConfig
from truthound.checkpoint.actions._saying import (
    ChatNotification,
    check_base,
    told,
    wait_of,
)
from truthound.checkpoint.actions._sending import secret
from truthound.checkpoint.messages.message import Message
from truthound.checkpoint.messages.telegram import telegram_html
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ConfigurationError
from truthound.secrets import Secret

API = "https://api.telegram.org"
logger: logging.Logger = logging.getLogger("truthound.checkpoint")


@dataclass
class TelegramConfig(NotificationConfig):
    """Options of a :class:`TelegramNotification`.

    Attributes:
        bot_token: as @BotFather told it (``123456:AA…``); a secret, also as
            ``${NAME}``.
        chat_id: where to write: a number, or ``@name`` of a public channel or group.
        message_thread_id: a topic of that group.
        disable_notification: let no phone sound.
        api_url: where the Bot API is.
    """

    bot_token: Secret | str = ""
    chat_id: int | str = ""
    message_thread_id: int | None = None
    disable_notification: bool = False
    api_url: str = API

    def check(self) -> None:
        super().check()
        self.bot_token = secret("bot_token", self.bot_token, needed=True)
        given = self.chat_id
        if given == "":
            raise ConfigurationError("the option chat_id is missing")
        if isinstance(given, bool) or not re.fullmatch(r"-?\d+|@\w+", str(given)):
            raise ConfigurationError(
                f"chat_id is a number, or @name of a public chat, not {given!r}"
            )
        text = str(given)
        self.chat_id = text if text.startswith("@") else int(text)
        topic = self.message_thread_id
        if topic is not None and (
            isinstance(topic, bool) or not isinstance(topic, int)
        ):
            raise ConfigurationError(f"message_thread_id is a number, not {topic!r}")
        check_base("api_url", self.api_url)


class TelegramNotification(ChatNotification[TelegramConfig]):
    """Writes to a Telegram chat how a run ended, unless it is a success.

    Whatever comes from the data is escaped. What follows an alarm is a reply to it. The
    token is a part of the address: neither is ever shown.

    Example:
        >>> TelegramNotification(bot_token="${BOT_TOKEN}", chat_id="@data").bot_token
        Secret(***)
    """

    action_type: str = "telegram"

    def validate_config(self) -> list[str]:
        config: Any = self._config
        try:
            token = config.bot_token.reveal()
        except ConfigurationError as error:
            return [f"bot_token: {error}"]
        if not re.fullmatch(r"\d+:[\w-]+", token):
            return ["bot_token: expected a number, a colon and the rest of a token"]
        return []

    def _secrets(self) -> list[Secret]:
        config: Any = self._config
        try:
            _, _, rest = config.bot_token.reveal().partition(":")
        except ConfigurationError:
            return [config.bot_token]
        return [config.bot_token, *([Secret(rest)] if rest else [])]

    async def _notify(
        self, message: Message, checkpoint_result: CheckpointResult
    ) -> ActionResult:
        payload = self._payload(message)
        answer = await self._asked(payload, checkpoint_result)
        moved = _moved(answer)
        if moved is not None:
            logger.warning(
                "%s: the chat %s has become %s; give that as chat_id",
                self.name,
                payload["chat_id"],
                moved,
            )
            payload["chat_id"] = moved
            answer = await self._asked(payload, checkpoint_result)
        found = told(answer)
        if found.get("ok") is not True:
            parameters = found.get("parameters")
            known = parameters if isinstance(parameters, dict) else {}
            wait = wait_of(known.get("retry_after"))
            raise self._refusal(answer, found.get("description"), wait)
        result = found.get("result")
        number = result.get("message_id") if isinstance(result, dict) else None
        thread = message.thread or (str(number) if number is not None else None)
        details = {"thread": thread} if thread else {}
        if moved is not None:
            details["chat_id"] = str(moved)
        return self.result("success", "sent", **details)

    async def _asked(self, payload: dict[str, Any], result: CheckpointResult) -> Any:
        config: Any = self._config
        token = config.bot_token.reveal()
        if not re.fullmatch(r"[\w:-]+", token):  # it would lead elsewhere
            raise ConfigurationError("bot_token: a token is a number, : and letters")
        address = Secret(f"{config.api_url.rstrip('/')}/bot{token}/sendMessage")
        return await self._post(address, payload, result)

    def _payload(self, message: Message) -> dict[str, Any]:
        config = self._config
        payload: dict[str, Any] = {
            "chat_id": config.chat_id,
            "text": telegram_html(message),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        if config.message_thread_id is not None:
            payload["message_thread_id"] = config.message_thread_id
        if config.disable_notification:
            payload["disable_notification"] = True
        if message.thread and message.thread.isdigit():
            payload["reply_parameters"] = {
                "message_id": int(message.thread),
                # The alarm may have been removed.
                "allow_sending_without_reply": True,
            }
        return payload


def _moved(answer: Any) -> int | None:
    """Return the id of the supergroup that a group has become."""
    parameters = told(answer).get("parameters")
    moved = parameters.get("migrate_to_chat_id") if isinstance(parameters, dict) else 0
    return moved if isinstance(moved, int) and moved else None
