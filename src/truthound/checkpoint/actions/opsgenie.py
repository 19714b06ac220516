"""``OpsGenieAction``: an alert, in Opsgenie or Jira Service Management Operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote

from truthound.checkpoint.actions._notifying import Notification, NotificationConfig
from truthound.checkpoint.actions._on_call import (
    details_of,
    is_over,
    keyed,
    shortened,
    summary_of,
)
from truthound.checkpoint.actions._places import (
    STEADY,
    check_places,
    one_line,
)
from truthound.checkpoint.actions._sending import secret
from truthound.checkpoint.messages.limits import (
    OPSGENIE_ACTIONS,
    OPSGENIE_ALIAS,
    OPSGENIE_DESCRIPTION,
    OPSGENIE_DETAILS,
    OPSGENIE_ENTITY,
    OPSGENIE_MESSAGE,
    OPSGENIE_NOTE,
    OPSGENIE_RESPONDERS,
    OPSGENIE_SOURCE,
    OPSGENIE_TAG,
    OPSGENIE_TAGS,
    cut,
)
from truthound.checkpoint.messages.message import Message, MessageKind
from truthound.checkpoint.messages.text import as_text
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ConfigurationError, did_you_mean
from truthound.secrets import Secret

APIS = {
    "us": "https://api.opsgenie.com",
    "eu": "https://api.eu.opsgenie.com",
    # Jira Service Management Operations, "Integration events": one for all regions.
    "jira": "https://api.atlassian.com/jsm/ops/integration",
}
PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
# Of a message's worst finding.
PRIORITY_OF = {
    "critical": "P1",
    "error": "P2",
    "high": "P2",
    "medium": "P3",
    "low": "P4",
}
KINDS = ("team", "user", "escalation", "schedule")  # of responders
NAMES = ("id", "name", "username")  # by one of which a responder is known


@dataclass
class OpsGenieConfig(NotificationConfig):
    """Options of an :class:`OpsGenieAction`.

    Attributes:
        api_key: of an API integration; a secret, also as ``${NAME}``.
        region: us or eu for Opsgenie, jira for Jira Service Management Operations.
        priority: P1 to P5; for what says none itself.
        auto_priority: take it from the worst failed check: critical is P1, high and a
            run that could not be completed are P2, medium is P3, low is P4. False:
            always ``priority``.
        alias_template: what joins the events of one incident; it may name
            ``{checkpoint}`` and ``{source}``.
        close_on_success: a run that is a success closes the alert.
        responders: who is told, as mappings of ``type`` (team, user, escalation or
            schedule) and one of ``id``, ``name`` and ``username``; Jira knows ids only.
        tags: at most 20, each of at most 50 characters. Tags of the checkpoint follow,
            as ``key:value``, as far as there is room.
        actions: names of actions that the alert offers.
        entity: what it is about; None for the data.
        source: who seems to send it.
        details: more of them, beside the facts of the run; texts.
        api_url: where to send instead; the path from ``/v2`` on is added.
    """

    # So a success is told only where there may be something to resolve.
    alerts_unsaid: ClassVar[str | None] = "every"
    api_key: Secret | str = ""
    region: str = "us"
    priority: str = "P3"
    auto_priority: bool = True
    alias_template: str = "truthound:{checkpoint}"
    close_on_success: bool = True
    responders: Sequence[Mapping[str, str]] = ()
    tags: Sequence[str] = ()
    actions: Sequence[str] = ()
    entity: str | None = None
    source: str = "Truthound"
    details: Mapping[str, str] = field(default_factory=dict)
    api_url: Secret | str | None = None

    def check(self) -> None:
        super().check()
        self.api_key = secret("api_key", self.api_key, needed=True)
        for option, given, known in (
            ("region", self.region, tuple(APIS)),
            ("priority", self.priority, PRIORITIES),
        ):
            if given not in known:
                raise ConfigurationError(
                    f"{option} is {', '.join(known)}, not {given!r}"
                    f"{did_you_mean(str(given), known)}"
                )
        self.api_url = secret("api_url", self.api_url or APIS[self.region])
        check_places("alias_template", self.alias_template, STEADY)
        if not self.alias_template:
            raise ConfigurationError("alias_template is empty")
        self._check_lists()
        for who in self.responders:
            self._check_responder(who)
        if not isinstance(self.details, Mapping) or not all(
            isinstance(text, str) for pair in self.details.items() for text in pair
        ):
            raise ConfigurationError("details is a mapping of texts to texts")

    def _check_lists(self) -> None:
        for option, most in (
            ("responders", OPSGENIE_RESPONDERS),
            ("tags", OPSGENIE_TAGS),
            ("actions", OPSGENIE_ACTIONS),
        ):
            given = getattr(self, option)
            if not isinstance(given, (list, tuple)):
                raise ConfigurationError(f"{option} is a list, not {given!r}")
            if len(given) > most:
                raise ConfigurationError(
                    f"{option}: at most {most} of them, not {len(given)}"
                )
        for option in ("tags", "actions"):
            for text in getattr(self, option):
                if not isinstance(text, str) or not 0 < len(text) <= OPSGENIE_TAG:
                    raise ConfigurationError(
                        f"{option}: expected a text of 1 to {OPSGENIE_TAG} characters, "
                        f"not {text!r}"
                    )

    def _check_responder(self, who: Any) -> None:
        named = NAMES if self.region != "jira" else NAMES[:1]
        if not isinstance(who, Mapping) or who.get("type") not in KINDS:
            raise ConfigurationError(
                f"responders: expected a type of {', '.join(KINDS)}, not {who!r}"
            )
        others = [key for key in who if key != "type"]
        if len(others) != 1 or others[0] not in named or not who[others[0]]:
            raise ConfigurationError(
                f"responders: expected type and {' or '.join(named)}, not {who!r}"
            )


class OpsGenieAction(Notification[OpsGenieConfig]):
    """Creates an alert after a bad run, and closes it after a good one.

    All alerts of a checkpoint have the same alias: as long as one is open, more bad
    runs are counted in it. The other side answers that it will look at a request
    later; ``details["request_id"]`` is how it calls that.

    Example:
        >>> OpsGenieAction(api_key="${OPSGENIE_KEY}", region="eu").api_key
        Secret(***)
    """

    action_type: str = "opsgenie"
    # To close what is not open changes nothing there.
    resolves_unknown: bool = True

    def validate_config(self) -> list[str]:
        config: Any = self._config
        found = self._problems_of("api_url", config.api_url)
        try:
            config.api_key.reveal()
        except ConfigurationError as error:
            found.append(str(error))
        return found

    def _secrets(self) -> list[Secret]:
        return [self._config.api_key]  # type: ignore[list-item]

    async def _notify(
        self, message: Message, checkpoint_result: CheckpointResult
    ) -> ActionResult:
        found = self.result("skipped", "a success, and close_on_success is off")
        for one in (message, *message.others):
            if not is_over(one):
                found = await self._request("create", "", self._payload(one), one)
            elif self._config.close_on_success:
                alias = quote(self._alias(one), safe="")
                path = f"/{alias}/close?identifierType=alias"
                found = await self._request("close", path, self._closing(one), one)
        return found

    async def _request(
        self, verb: str, path: str, body: dict[str, Any], message: Message
    ) -> ActionResult:
        config: Any = self._config
        base = config.api_url.reveal().rstrip("/")
        answer = await self._send(
            "POST",
            Secret(f"{base}/v2/alerts{path}"),
            headers={"Authorization": f"GenieKey {config.api_key.reveal()}"},
            body=body,
            accepted=(202,),
        )
        alias = self._alias(message)
        return self.result(
            "success",
            f"sent: {verb}",
            status_code=answer.status_code,
            alias=alias,
            request_id=_request_id(answer),
            thread=alias,
        )

    def _build_payload(self, checkpoint_result: CheckpointResult) -> dict[str, Any]:
        """Return what creates the alert about a result, or closes it."""
        message = self._message(checkpoint_result)
        return self._closing(message) if is_over(message) else self._payload(message)

    def _alias(self, message: Message) -> str:
        return shortened(keyed(self._config.alias_template, message), OPSGENIE_ALIAS)

    def _closing(self, message: Message) -> dict[str, Any]:
        source = cut(self._config.source, OPSGENIE_SOURCE)
        note = cut(one_line(message.title), OPSGENIE_NOTE)
        return {"source": source, "note": note}

    def _payload(self, message: Message) -> dict[str, Any]:
        config: Any = self._config
        priority = config.priority
        if message.kind is MessageKind.TEST:
            priority = "P5"
        elif config.auto_priority:
            priority = PRIORITY_OF.get(message.worst, priority)
        entity = (
            config.entity or one_line(message.source) or one_line(message.checkpoint)
        )
        payload: dict[str, Any] = {
            "message": cut(summary_of(message), OPSGENIE_MESSAGE),
            "alias": self._alias(message),
            "description": cut(as_text(message), OPSGENIE_DESCRIPTION),
            "tags": _tags(config.tags, message),
            "details": _fitting({**config.details, **details_of(message)}),
            "entity": cut(entity, OPSGENIE_ENTITY),
            "source": cut(config.source, OPSGENIE_SOURCE),
            "priority": priority,
        }
        for option in ("responders", "actions"):
            if given := getattr(config, option):
                payload[option] = list(given)
        return payload


def _tags(given: Sequence[str], message: Message) -> list[str]:
    of_checkpoint = (f"{key}:{value}" for key, value in message.tags.items())
    tags = [*given, *(cut(one_line(tag), OPSGENIE_TAG) for tag in of_checkpoint)]
    return list(dict.fromkeys(tags))[:OPSGENIE_TAGS]


def _fitting(details: Mapping[str, str]) -> dict[str, str]:
    """Return details as far as there is room for them."""
    fitting, left = {}, OPSGENIE_DETAILS
    for label, text in details.items():
        room = left - len(label)
        if room < 1:
            break
        fitting[label] = cut(text, room)
        left = room - len(fitting[label])
    return fitting


def _request_id(answer: Any) -> str | None:
    try:
        told = answer.json()
    except ValueError:
        return None
    found = told.get("requestId") if isinstance(told, dict) else None
    return str(found) if found else None
