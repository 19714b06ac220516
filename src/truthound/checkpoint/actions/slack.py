"""``SlackNotification``: a message in a Slack channel, by an incoming webhook."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from truthound._words import plural
from truthound.checkpoint._action import ActionConfig, NotifyCondition
from truthound.checkpoint.actions._sending import SendingAction, secret
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ActionError
from truthound.secrets import Secret

# Limits of the vendor: characters of a section's text, and of a field.
LONGEST_TEXT = 3_000
LONGEST_FIELD = 2_000
ISSUES = 10  # that are listed; the others are counted
COLOURS = {
    "success": "#2eb67d",
    "warning": "#ecb22e",
    "failure": "#e01e5a",
    "error": "#611f69",
}


@dataclass
class SlackConfig(ActionConfig):
    """Options of a :class:`SlackNotification`.

    Attributes:
        webhook_url: where to send; a secret, also as ``${NAME}``.
        channel: for webhooks that may choose one.
        username: who seems to write.
        icon_emoji: and with which picture.
        include_details: list the issues, the worst first.
        mention_on_failure: whom to mention when the run is no success: ids of members
            (``U…``) and groups (``S…``), ``here``, ``channel`` or ``everyone``.
        custom_message: stands before the rest; escaped.
    """

    notify_on: NotifyCondition | str = NotifyCondition.NOT_SUCCESS
    webhook_url: Secret | str = ""
    channel: str | None = None
    username: str = "Truthound"
    icon_emoji: str = ":mag:"
    include_details: bool = True
    mention_on_failure: Sequence[str] = ()
    custom_message: str | None = None

    def check(self) -> None:
        super().check()
        self.webhook_url = secret("webhook_url", self.webhook_url, needed=True)
        if isinstance(self.mention_on_failure, str):
            self.mention_on_failure = [self.mention_on_failure]


class SlackNotification(SendingAction[SlackConfig]):
    """Writes to Slack how a run ended, unless it is a success (``notify_on``).

    Whatever comes from the data is escaped: nobody is mentioned by a name in it. An
    answer that is not ok, whatever its status, is an error.

    Example:
        >>> SlackNotification(webhook_url="${SLACK_WEBHOOK}").webhook_url
        Secret(***)
    """

    action_type: str = "slack_notification"

    def validate_config(self) -> list[str]:
        return self._problems_of("webhook_url", self._config.webhook_url)  # type: ignore[arg-type]

    def _secrets(self) -> list[Secret]:
        return [self._config.webhook_url]  # type: ignore[list-item]

    async def _execute_async(self, checkpoint_result: CheckpointResult) -> ActionResult:
        answer = await self._send(
            "POST",
            self._config.webhook_url,  # type: ignore[arg-type]
            headers={"Idempotency-Key": self._key(checkpoint_result)},
            body=self._build_payload(checkpoint_result),
        )
        refusal = _refusal(answer)
        if refusal is not None:
            raise ActionError(f"Slack answered {refusal}", is_final=True)
        return self.result("success", "sent")

    def _build_payload(self, checkpoint_result: CheckpointResult) -> dict[str, Any]:
        config, status = self._config, str(checkpoint_result.status)
        name = escaped(checkpoint_result.checkpoint_name)
        head = f"*{name}*: {status}"
        if status != "success" and config.mention_on_failure:
            head = " ".join([*map(_mention, config.mention_on_failure), head])
        if config.custom_message:
            head = f"{escaped(config.custom_message)}\n{head}"
        blocks: list[dict[str, Any]] = [_section(head), _fields(checkpoint_result)]
        if checkpoint_result.error:
            blocks.append(_section(f"Error: {escaped(checkpoint_result.error)}"))
        if config.include_details and (listed := _issues(checkpoint_result)):
            blocks.append(_section(listed))
        payload: dict[str, Any] = {
            "username": config.username,
            "icon_emoji": config.icon_emoji,
            # What a phone shows, and who cannot see the blocks.
            "text": cut(f"{name}: {status}", LONGEST_TEXT),
            "attachments": [{"color": COLOURS.get(status, ""), "blocks": blocks}],
        }
        if config.channel:
            payload["channel"] = config.channel
        return payload


def escaped(text: str) -> str:
    """Return a text in which Slack sees neither mentions nor links."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, longest: int) -> str:
    """Return a text that is not longer than that."""
    if len(text) <= longest:
        return text
    # Nothing is left of what stood for one character.
    return re.sub(r"&[a-z]*\Z", "", text[: longest - 1]) + "…"


def _section(text: str) -> dict[str, Any]:
    return {
        "type": "section",
        "text": {"type": "mrkdwn", "text": cut(text, LONGEST_TEXT)},
    }


def _fields(result: CheckpointResult) -> dict[str, Any]:
    run = result.validation_run
    told = {
        "Data": escaped(result.data_asset or "-"),
        "Run": escaped(result.run_id),
        "Time": f"{result.run_time:%Y-%m-%d %H:%M:%S} UTC",
    }
    rows = getattr(run, "row_count", None)
    if rows is not None:
        told["Rows"] = f"{rows:,}"
    statistics = getattr(run, "statistics", None)
    if isinstance(statistics, dict):
        failed = statistics.get("total_issues", 0)
        told["Checks failed"] = f"{failed:,} of {statistics.get('total_checks', 0):,}"
    texts = [cut(f"*{key}*\n{value}", LONGEST_FIELD) for key, value in told.items()]
    return {
        "type": "section",
        "fields": [{"type": "mrkdwn", "text": text} for text in texts],
    }


def _issues(result: CheckpointResult) -> str:
    issues = list(getattr(result.validation_run, "issues", None) or ())
    lines = []
    for issue in issues[:ISSUES]:
        name = escaped(str(getattr(issue, "name", issue)))
        severity = getattr(issue, "severity", None) or ""
        message = escaped(str(getattr(issue, "message", "")))
        lines.append(f"• *{name}* {severity}: {message}".rstrip(": "))
    if len(issues) > ISSUES:
        lines.append(f"and {plural(len(issues) - ISSUES, 'more issue')}")
    return "\n".join(lines)


def _mention(whom: str) -> str:
    plain = whom.strip("<>").removeprefix("!subteam^").strip("@!")
    if plain in ("here", "channel", "everyone"):
        return f"<!{plain}>"
    return f"<!subteam^{plain}>" if plain.startswith("S") else f"<@{plain}>"


def _refusal(answer: Any) -> str | None:
    """Return what an answer with a good status says that is not ok."""
    text = str(answer.text).strip()
    if text.startswith("{"):
        try:
            told = answer.json()
        except ValueError:
            return None
        if isinstance(told, dict) and told.get("ok") is False:
            return f"not ok: {told.get('error', 'without a reason')}"
    return None
