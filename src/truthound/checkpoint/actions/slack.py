"""``SlackNotification``: a message in a Slack channel, by a webhook or as a bot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from truthound._clock import SYSTEM_CLOCK
from truthound.async_core._policy import parse_retry_after
from truthound.checkpoint.actions._notifying import NotificationConfig
from truthound.checkpoint.actions._saying import (
    ChatNotification,
    check_base,
    told,
    wakes,
)
from truthound.checkpoint.actions._sending import secret
from truthound.checkpoint.messages._colours import colour_of
from truthound.checkpoint.messages.message import Message
from truthound.checkpoint.messages.slack import slack_blocks, slack_title
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ActionError, ConfigurationError
from truthound.secrets import Secret

API = "https://slack.com/api"
MENTIONS = 50
_MENTION = re.compile(r"([USW][A-Z0-9]*|here|channel|everyone)\Z")
# Reasons that may pass, of those that chat.postMessage has. After ``fatal_error`` the
# message may be there already: told twice is better than not at all.
PASSING = frozenset(
    {
        "fatal_error",
        "internal_error",
        "org_login_required",
        "rate_limited",
        "ratelimited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)
# The message that a thread hangs on is gone, or takes no replies.
NO_THREAD = frozenset(
    {"cannot_reply_to_message", "invalid_thread_ts", "thread_not_found"}
)


@dataclass
class SlackConfig(NotificationConfig):
    """Options of a :class:`SlackNotification`: ``webhook_url``, or ``token``.

    Attributes:
        webhook_url: where to send; a secret, also as ``${NAME}``.
        token: of a bot (``xoxb-…``) that may ``chat:write``; a secret. What belongs to
            an incident then stands in one thread.
        channel: with ``token``, where to write: an id (``C…``) or a name. With
            ``webhook_url``, for webhooks that may choose one.
        username: who seems to write.
        icon_emoji: and with which picture.
        mention_on_failure: whom to mention when the run is no success: ids of members
            (``U…``) and groups (``S…``), ``here``, ``channel`` or ``everyone``.
        reply_broadcast: with ``token``, show what stands in a thread in the channel,
            too.
        api_url: with ``token``, where the API of Slack is.
    """

    webhook_url: Secret | str = ""
    token: Secret | str = ""
    channel: str | None = None
    username: str = "Truthound"
    icon_emoji: str = ":mag:"
    mention_on_failure: Sequence[str] = ()
    reply_broadcast: bool = False
    api_url: str = API

    def check(self) -> None:
        super().check()
        self.webhook_url = secret("webhook_url", self.webhook_url)
        self.token = secret("token", self.token)
        if not self.webhook_url and not self.token:
            raise ConfigurationError(
                "the option webhook_url is missing; or give token and channel"
            )
        if self.webhook_url and self.token:
            raise ConfigurationError("give webhook_url or token, not both")
        if self.token and not self.channel:
            raise ConfigurationError("the option channel is missing: token needs it")
        check_base("api_url", self.api_url)
        if isinstance(self.mention_on_failure, str):
            self.mention_on_failure = [self.mention_on_failure]
        if len(self.mention_on_failure) > MENTIONS:
            raise ConfigurationError(
                f"mention_on_failure: at most {MENTIONS} may be named; name a group"
            )
        for whom in self.mention_on_failure:
            if not isinstance(whom, str) or not _MENTION.match(_plain(whom)):
                raise ConfigurationError(
                    "mention_on_failure: expected the id of a member (U…) or group "
                    f"(S…), here, channel or everyone, not {whom!r}"
                )


class SlackNotification(ChatNotification[SlackConfig]):
    """Writes to Slack how a run ended, unless it is a success (``notify_on``).

    Whatever comes from the data is escaped: nobody is mentioned by a name in it. An
    answer that is not ok, whatever its status, is an error. As a bot it writes what
    follows an alarm into its thread.

    Example:
        >>> SlackNotification(webhook_url="${SLACK_WEBHOOK}").webhook_url
        Secret(***)
    """

    action_type: str = "slack_notification"

    def validate_config(self) -> list[str]:
        config: Any = self._config
        if config.webhook_url:
            return self._problems_of("webhook_url", config.webhook_url)
        try:
            config.token.reveal()
        except ConfigurationError as error:
            return [f"token: {error}"]
        return []

    def _secrets(self) -> list[Secret]:
        config: Any = self._config
        return [one for one in (config.webhook_url, config.token) if one]

    async def _notify(
        self, message: Message, checkpoint_result: CheckpointResult
    ) -> ActionResult:
        payload = self._payload(message)
        if self._config.token:
            return await self._posted(payload, message, checkpoint_result)
        answer = await self._send(
            "POST",
            self._config.webhook_url,  # type: ignore[arg-type]
            headers={"Idempotency-Key": self._key(checkpoint_result)},
            body=payload,
        )
        if (refusal := self._not_ok(answer)) is not None:
            raise refusal
        return self.result("success", "sent")

    async def _posted(
        self, payload: dict[str, Any], message: Message, result: CheckpointResult
    ) -> ActionResult:
        """Write as a bot; without the thread if that is gone."""
        config: Any = self._config
        address = Secret(f"{config.api_url.rstrip('/')}/chat.postMessage")
        headers = {
            "Authorization": f"Bearer {config.token.reveal()}",
            "Content-Type": "application/json; charset=utf-8",
            "Idempotency-Key": self._key(result),
        }
        thread = message.thread
        if thread:
            reply = {"thread_ts": thread, "reply_broadcast": config.reply_broadcast}
            answer = await self._send(
                "POST", address, headers=headers, body={**payload, **reply}
            )
            if told(answer).get("error") in NO_THREAD:
                thread = None
        if not thread:
            answer = await self._send("POST", address, headers=headers, body=payload)
        if (refusal := self._not_ok(answer)) is not None:
            raise refusal
        found = told(answer)
        if not found.get("ts"):
            raise ActionError("Slack answered without the ts of the message")
        details = {"thread": thread or str(found["ts"])}
        if found.get("channel"):
            details["channel"] = str(found["channel"])
        return self.result("success", "sent", **details)

    def _not_ok(self, answer: Any) -> ActionError | None:
        """Return what an answer with a good status says that is not ok."""
        found = told(answer)
        if found.get("ok") is not False:
            return None
        why = str(found.get("error", "without a reason"))
        return ActionError(
            f"Slack answered not ok: {self._safe(why)[:200]}",
            retry_after=parse_retry_after(
                answer.headers.get("Retry-After"), SYSTEM_CLOCK.now()
            ),
            is_final=why not in PASSING,
        )

    def _payload(self, message: Message) -> dict[str, Any]:
        config = self._config
        whom = config.mention_on_failure if wakes(message) else ()
        mention = " ".join(map(_mention, whom))
        blocks = slack_blocks(message, mention=mention)
        payload: dict[str, Any] = {
            "username": config.username,
            "icon_emoji": config.icon_emoji,
            # What a phone shows, and who cannot see the blocks. A mention in an
            # attachment alone calls nobody.
            "text": f"{mention} {slack_title(message)}".strip(),
            "attachments": [{"color": colour_of(message), "blocks": blocks}],
        }
        if config.token:
            # Addresses in it become no links, and no pictures of what they lead to.
            payload |= {"parse": "none", "link_names": False}
            payload |= {"unfurl_links": False, "unfurl_media": False}
            # A name of its own needs a permission that not each bot has.
            for option in ("username", "icon_emoji"):
                if getattr(config, option) == getattr(SlackConfig, option):
                    del payload[option]
        if config.channel:
            payload["channel"] = config.channel
        return payload


def _plain(whom: str) -> str:
    return whom.strip("<>").removeprefix("!subteam^").strip("@!")


def _mention(whom: str) -> str:
    plain = _plain(whom)
    if plain in ("here", "channel", "everyone"):
        return f"<!{plain}>"
    return f"<!subteam^{plain}>" if plain.startswith("S") else f"<@{plain}>"
