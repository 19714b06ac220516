"""``PagerDutyAction``: an incident, opened by a bad run and resolved by a good one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from truthound.checkpoint.actions._notifying import Notification, NotificationConfig
from truthound.checkpoint.actions._on_call import (
    details_of,
    is_over,
    keyed,
    shortened,
    summary_of,
)
from truthound.checkpoint.actions._places import STEADY, check_places, one_line
from truthound.checkpoint.actions._sending import secret
from truthound.checkpoint.messages.limits import (
    PAGERDUTY_DEDUP_KEY,
    PAGERDUTY_ROUTING_KEY,
    PAGERDUTY_SUMMARY,
    cut,
)
from truthound.checkpoint.messages.message import Message, MessageKind
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ConfigurationError, did_you_mean
from truthound.secrets import Secret

API = "https://events.pagerduty.com/v2/enqueue"
SEVERITIES = ("critical", "error", "warning", "info")
# Of a message's worst finding.
SEVERITY_OF = {
    "critical": "critical",
    "error": "error",
    "high": "error",
    "medium": "warning",
    "low": "info",
}


@dataclass
class PagerDutyConfig(NotificationConfig):
    """Options of a :class:`PagerDutyAction`.

    Attributes:
        routing_key: the integration key of a service or ruleset, 32 characters; a
            secret, also as ``${NAME}``.
        severity: critical, error, warning or info; for what says none itself.
        auto_severity: take it from the worst failed check: critical is critical, high
            and a run that could not be completed are error, medium is warning, low is
            info. False: always ``severity``.
        dedup_key_template: what joins the events of one incident; it may name
            ``{checkpoint}`` and ``{source}``.
        resolve_on_success: a run that is a success resolves the incident.
        component: of the source that is in question.
        group: to which that belongs.
        class_type: of the event (PagerDuty calls it ``class``).
        custom_details: more of them, beside the facts of the run.
        client: who seems to send the event.
        client_url: the page of that client.
        api_url: where to send; in the service region of the EU
            ``https://events.eu.pagerduty.com/v2/enqueue``.
    """

    # So a success is told only where there may be something to resolve.
    alerts_unsaid: ClassVar[str | None] = "every"
    routing_key: Secret | str = ""
    severity: str = "error"
    auto_severity: bool = True
    dedup_key_template: str = "truthound:{checkpoint}"
    resolve_on_success: bool = True
    component: str | None = None
    group: str | None = None
    class_type: str | None = None
    custom_details: Mapping[str, Any] = field(default_factory=dict)
    client: str = "Truthound"
    client_url: str | None = None
    api_url: Secret | str = API

    def check(self) -> None:
        super().check()
        self.routing_key = secret("routing_key", self.routing_key, needed=True)
        self.api_url = secret("api_url", self.api_url, needed=True)
        if self.severity not in SEVERITIES:
            raise ConfigurationError(
                f"severity is {', '.join(SEVERITIES)}, not {self.severity!r}"
                f"{did_you_mean(str(self.severity), SEVERITIES)}"
            )
        check_places("dedup_key_template", self.dedup_key_template, STEADY)
        if not self.dedup_key_template:
            raise ConfigurationError("dedup_key_template is empty")
        if not isinstance(self.custom_details, Mapping):
            raise ConfigurationError(
                f"custom_details is a mapping, not {self.custom_details!r}"
            )


class PagerDutyAction(Notification[PagerDutyConfig]):
    """Opens an incident after a bad run, and resolves it after a good one.

    All events of a checkpoint have the same ``dedup_key``: as long as the incident is
    open, more bad runs are noted in it and page nobody again.

    Example:
        >>> PagerDutyAction(routing_key="${PAGERDUTY_KEY}").routing_key
        Secret(***)
    """

    action_type: str = "pagerduty"
    # To resolve what is not open changes nothing there.
    resolves_unknown: bool = True

    def validate_config(self) -> list[str]:
        config: Any = self._config
        found = self._problems_of("api_url", config.api_url)
        try:
            length = len(config.routing_key.reveal())
        except ConfigurationError as error:
            return [*found, str(error)]
        if length != PAGERDUTY_ROUTING_KEY:
            found.append(
                f"routing_key has {PAGERDUTY_ROUTING_KEY} characters, this one {length}"
            )
        return found

    def _secrets(self) -> list[Secret]:
        return [self._config.routing_key]  # type: ignore[list-item]

    async def _notify(
        self, message: Message, checkpoint_result: CheckpointResult
    ) -> ActionResult:
        found = self.result("skipped", "a success, and resolve_on_success is off")
        for one in (message, *message.others):
            if (payload := self._payload(one)) is not None:
                found = await self._enqueue(payload)
        return found

    async def _enqueue(self, payload: dict[str, Any]) -> ActionResult:
        config: Any = self._config
        answer = await self._send(
            "POST", config.api_url, headers={}, body=payload, accepted=(202,)
        )
        verb, key = payload["event_action"], payload["dedup_key"]
        return self.result(
            "success",
            f"sent: {verb}",
            status_code=answer.status_code,
            event_action=verb,
            dedup_key=key,
            thread=key,
        )

    def _build_payload(
        self, checkpoint_result: CheckpointResult
    ) -> dict[str, Any] | None:
        """Return the event about a result; None: there is none to send."""
        return self._payload(self._message(checkpoint_result))

    def _payload(self, message: Message) -> dict[str, Any] | None:
        config: Any = self._config
        event = {
            "routing_key": config.routing_key.reveal(),
            "dedup_key": self._dedup_key(message),
        }
        if is_over(message):
            if not config.resolve_on_success:
                return None
            return {**event, "event_action": "resolve"}
        payload = {
            **event,
            "event_action": "trigger",
            "client": config.client,
            "payload": self._details(message),
        }
        if config.client_url:
            payload["client_url"] = config.client_url
        if message.links:
            payload["links"] = [
                {"href": address, "text": label}
                for label, address in message.links.items()
            ]
        return payload

    def _dedup_key(self, message: Message) -> str:
        template = self._config.dedup_key_template
        return shortened(keyed(template, message), PAGERDUTY_DEDUP_KEY)

    def _details(self, message: Message) -> dict[str, Any]:
        config: Any = self._config
        severity = config.severity
        if message.kind is MessageKind.TEST:
            severity = "info"
        elif config.auto_severity:
            severity = SEVERITY_OF.get(message.worst, severity)
        details = {
            "summary": cut(summary_of(message), PAGERDUTY_SUMMARY),
            "source": one_line(message.source) or one_line(message.checkpoint) or "-",
            "severity": severity,
            "timestamp": message.at.isoformat(),
            "custom_details": {**details_of(message), **config.custom_details},
        }
        given = {
            "component": config.component,
            "group": config.group,
            "class": config.class_type,
        }
        return details | {key: value for key, value in given.items() if value}
