"""``WebhookAction``: the result as JSON to an address of one's own."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from truthound.checkpoint._action import NotifyCondition
from truthound.checkpoint._signatures import id_of, key_of, secrets_of, signed_headers
from truthound.checkpoint.actions._cloudevents import (
    MODES,
    STRUCTURED,
    attributes,
    headers,
    structured,
)
from truthound.checkpoint.actions._notifying import Notification, NotificationConfig
from truthound.checkpoint.actions._payload import (
    check_template,
    facts,
    filled,
    payload_of,
)
from truthound.checkpoint.actions._sending import secret
from truthound.checkpoint.messages.message import Message, MessageKind
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ConfigurationError, did_you_mean
from truthound.secrets import Secret

# Those of the registry that a receiver may want; others are taken for mistyped.
METHODS = (
    "POST", "PUT", "PATCH", "GET", "DELETE", "HEAD", "OPTIONS", "QUERY", "SEARCH",
    "REPORT", "PROPFIND", "PROPPATCH", "MKCOL", "NOTIFY", "PUBLISH", "PURGE", "BAN",
    "REFRESH", "LINK", "UNLINK",
)  # fmt: skip
BODILESS = ("GET", "DELETE", "HEAD", "OPTIONS")
# By kind of authentication, what the credentials have to hold.
NEEDED: dict[str, tuple[str, ...]] = {
    "none": (),
    "basic": ("username", "password"),
    "bearer": ("token",),
    "api_key": ("key",),
}
ENVELOPES = ("none", "cloudevents")
TEST_HEADER = "Truthound-Test"


@dataclass
class WebhookConfig(NotificationConfig):
    """Options of a :class:`WebhookAction`.

    Attributes:
        notify_on: as for every action; a webhook tells of every run.
        url: where to send; a secret, also as ``${NAME}``.
        method: POST, PUT, PATCH, GET, DELETE or another one that receivers know, such
            as QUERY or PURGE.
        headers: of the request; their values are secrets, too.
        auth_type: none, basic, bearer or api_key.
        auth_credentials: ``username`` and ``password``; ``token``; ``key`` and, if it
            is not ``X-API-Key``, the ``header`` to send it in.
        signing_secret: sign what is sent as Standard Webhooks has it: one secret in
            Base64, with ``whsec_`` before it or not, or several, each of which signs.
        envelope: none, or cloudevents.
        envelope_mode: structured: the event is the body; binary: its attributes are
            headers.
        event_source: who sends an event, a reference to a URI; None: the checkpoint.
        payload_template: what to send instead, with ``${checkpoint}``, ``${run_id}``,
            ``${status}``, ``${run_time}``, ``${data_asset}``, ``${duration_ms}``,
            ``${error}``, ``${summary}`` and what ``statistics`` of a run has.
        include_full_result: send the whole result, under ``full_result``.
        ssl_verify: False: send to anybody who claims to be the server.
        success_codes: statuses that mean that it has arrived.
    """

    notify_on: NotifyCondition | str = NotifyCondition.ALWAYS
    url: Secret | str = ""
    method: str = "POST"
    headers: Mapping[str, Secret | str] = field(default_factory=dict)
    auth_type: str = "none"
    auth_credentials: Mapping[str, Secret | str] = field(default_factory=dict)
    signing_secret: Secret | str | Sequence[Secret | str] | None = None
    envelope: str = "none"
    envelope_mode: str = "structured"
    event_source: str | None = None
    payload_template: Mapping[str, Any] | str | None = None
    include_full_result: bool = True
    ssl_verify: bool = True
    success_codes: Sequence[int] = (200, 201, 202, 204)

    def check(self) -> None:
        super().check()
        self.url = secret("url", self.url, needed=True)
        self.method = str(self.method).upper()
        _check_choice("method", self.method, METHODS)
        if self.auth_type == "hmac":
            raise ConfigurationError(
                "auth_type: what is sent is signed if there is a signing_secret"
            )
        _check_choice("auth_type", self.auth_type, tuple(NEEDED))
        for option in ("headers", "auth_credentials"):
            given = getattr(self, option)
            if not isinstance(given, Mapping):
                raise ConfigurationError(f"{option} is a mapping, not {given!r}")
            hidden = {key: secret(f"{option}.{key}", given[key]) for key in given}
            setattr(self, option, hidden)
        for key in NEEDED[self.auth_type]:
            if not self.auth_credentials.get(key):
                raise ConfigurationError(
                    f"auth_credentials: auth_type {self.auth_type} needs {key}"
                )
        self.signing_secret = secrets_of("signing_secret", self.signing_secret)
        self._check_envelope()
        self._check_payload()

    def _check_envelope(self) -> None:
        _check_choice("envelope", self.envelope, ENVELOPES)
        _check_choice("envelope_mode", self.envelope_mode, MODES)
        source = self.event_source
        if source is not None and (not source.isprintable() or " " in source):
            raise ConfigurationError(
                f"event_source is a reference to a URI, not {source!r}"
            )
        if self.envelope != "none" and self.method in BODILESS:
            raise ConfigurationError(
                f"envelope: a request of the method {self.method} has no body"
            )

    def _check_payload(self) -> None:
        check_template(self.payload_template)
        for option in ("include_details", "include_examples"):
            if getattr(self, option) != getattr(NotificationConfig, option):
                raise ConfigurationError(
                    f"{option} is for messages to people; a webhook has "
                    "include_full_result and payload_template"
                )
        codes = self.success_codes
        if not isinstance(codes, (list, tuple, set, frozenset, range)) or not all(
            isinstance(code, int) for code in codes
        ):
            raise ConfigurationError(
                f"success_codes is a list of numbers, not {codes!r}"
            )


def _check_choice(option: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise ConfigurationError(
            f"{option} is {', '.join(known)}, not {given!r}"
            f"{did_you_mean(str(given), known)}"
        )


class WebhookAction(Notification[WebhookConfig]):
    """Sends the result of a run to an address.

    Every try to send one has the same ``Idempotency-Key`` header, and the same
    ``webhook-id`` if it is signed. Redirects are not followed: they are an error that
    says so. What is sent to try the way has the header ``Truthound-Test``.

    Example:
        >>> WebhookAction(url="https://example.com/hook", auth_type="bearer",
        ...               auth_credentials={"token": "${TOKEN}"}).method
        'POST'
    """

    action_type: str = "webhook"

    def validate_config(self) -> list[str]:
        config: Any = self._config
        found = self._problems_of("url", config.url)
        for hidden in (*config.auth_credentials.values(), *config.headers.values()):
            try:
                hidden.reveal()
            except ConfigurationError as error:
                found.append(str(error))
        try:
            self._keys()
        except ConfigurationError as error:
            found.append(str(error))
        return found

    def _secrets(self) -> list[Secret]:
        config: Any = self._config
        found = [
            config.url,
            *config.auth_credentials.values(),
            *config.headers.values(),
            *config.signing_secret,
        ]
        if config.auth_type == "basic":
            with contextlib.suppress(ConfigurationError):  # a variable is not set
                known = config.auth_credentials
                found.append(Secret(_basic(known["username"], known["password"])))
        return found

    async def _notify(
        self, message: Message, checkpoint_result: CheckpointResult
    ) -> ActionResult:
        config: Any = self._config
        told, body = self._content(message, checkpoint_result)
        told |= self._credentials()
        if config.signing_secret:
            told |= signed_headers(
                self._keys(),
                id_of(self._key(checkpoint_result)),
                int(self.clock.now().timestamp()),
                (body or "").encode("utf-8", "replace"),
            )
        answer = await self._send(
            config.method,
            config.url,
            headers=told,
            body=body,
            accepted=config.success_codes,
            verify=config.ssl_verify,
        )
        return self.result("success", "sent", status_code=answer.status_code)

    def _content(
        self, message: Message, result: CheckpointResult
    ) -> tuple[dict[str, str], str | None]:
        """Return what is sent: headers, and a body if the method has one."""
        config, key = self._config, self._key(result)
        told = {"Idempotency-Key": key}
        if message.kind is MessageKind.TEST:
            told[TEST_HEADER] = "true"
        own: Any = config.headers
        if config.method in BODILESS:
            return told | {name: value.reveal() for name, value in own.items()}, None
        data = self._payload(message, result)
        is_text = isinstance(data, str)
        kind = "text/plain; charset=utf-8" if is_text else "application/json"
        body: str = data if is_text else json.dumps(data, allow_nan=False)
        if config.envelope == "cloudevents":
            event = attributes(
                result, key=key, kind=message.kind, source=config.event_source
            )
            if config.envelope_mode == "structured":
                body, kind = structured(event, data, kind), STRUCTURED
            else:
                told |= headers(event)
        has_kind = any(name.lower() == "content-type" for name in own)
        told |= {} if has_kind else {"Content-Type": kind}
        return told | {name: value.reveal() for name, value in own.items()}, body

    def _credentials(self) -> dict[str, str]:
        config: Any = self._config
        known = {key: v.reveal() for key, v in config.auth_credentials.items()}
        if config.auth_type == "basic":
            pair = _basic(*(config.auth_credentials[key] for key in NEEDED["basic"]))
            return {"Authorization": f"Basic {pair}"}
        if config.auth_type == "bearer":
            return {"Authorization": f"Bearer {known['token']}"}
        if config.auth_type == "api_key":
            return {known.get("header") or "X-API-Key": known["key"]}
        return {}

    def _build_payload(self, checkpoint_result: CheckpointResult) -> Any:
        """Return what is sent of a result."""
        return self._payload(self._message(checkpoint_result), checkpoint_result)

    def _payload(self, message: Message, result: CheckpointResult) -> Any:
        template = self._config.payload_template
        if template is not None:
            return filled(template, facts(result))
        return payload_of(message, result, is_full=self._config.include_full_result)

    def _keys(self) -> list[bytes]:
        hidden: Any = self._config.signing_secret
        return [key_of("signing_secret", one) for one in hidden]


def _basic(username: Secret, password: Secret) -> str:
    pair = f"{username.reveal()}:{password.reveal()}".encode()
    return base64.b64encode(pair).decode()
