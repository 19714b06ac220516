"""``WebhookAction``: the result as JSON to an address of one's own."""

from __future__ import annotations

import base64
import contextlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from truthound.checkpoint._action import ActionConfig
from truthound.checkpoint.actions._sending import SendingAction, secret
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ConfigurationError, did_you_mean
from truthound.secrets import Secret

METHODS = ("POST", "PUT", "PATCH", "GET", "DELETE")
# By kind of authentication, what the credentials have to hold.
NEEDED: dict[str, tuple[str, ...]] = {
    "none": (),
    "basic": ("username", "password"),
    "bearer": ("token",),
    "api_key": ("key",),
}
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


@dataclass
class WebhookConfig(ActionConfig):
    """Options of a :class:`WebhookAction`.

    Attributes:
        url: where to send; a secret, also as ``${NAME}``.
        method: POST, PUT, PATCH, GET or DELETE.
        headers: of the request; their values are secrets, too.
        auth_type: none, basic, bearer or api_key.
        auth_credentials: ``username`` and ``password``; ``token``; ``key`` and, if it
            is not ``X-API-Key``, the ``header`` to send it in.
        payload_template: what to send instead, with ``${checkpoint}``, ``${run_id}``,
            ``${status}``, ``${run_time}``, ``${data_asset}``, ``${duration_ms}``,
            ``${error}``, ``${summary}`` and what ``statistics`` of a run has.
        include_full_result: send the whole result, under ``full_result``.
        ssl_verify: False: send to anybody who claims to be the server.
        success_codes: statuses that mean that it has arrived.
    """

    url: Secret | str = ""
    method: str = "POST"
    headers: Mapping[str, Secret | str] = field(default_factory=dict)
    auth_type: str = "none"
    auth_credentials: Mapping[str, Secret | str] = field(default_factory=dict)
    payload_template: Mapping[str, Any] | str | None = None
    include_full_result: bool = True
    ssl_verify: bool = True
    success_codes: Sequence[int] = (200, 201, 202, 204)

    def check(self) -> None:
        super().check()
        self.url = secret("url", self.url, needed=True)
        self.method = str(self.method).upper()
        _check_choice("method", self.method, METHODS)
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
        for name in _placeholders(self.payload_template):
            _check_choice("payload_template: ${...}", name, FACTS)
        codes = self.success_codes
        if not isinstance(codes, (list, tuple, set, frozenset, range)) or not all(
            isinstance(code, int) for code in codes
        ):
            raise ConfigurationError(
                f"success_codes is a list of numbers, not {codes!r}"
            )


def _placeholders(template: Any) -> Iterator[str]:
    if isinstance(template, str):
        yield from _PLACEHOLDER.findall(template)
    elif isinstance(template, Mapping):
        for key, value in template.items():
            if not isinstance(key, str):
                raise ConfigurationError(f"payload_template: {key!r} is no text")
            yield from _placeholders(value)
    elif isinstance(template, (list, tuple)):
        for value in template:
            yield from _placeholders(value)
    elif template is not None and not isinstance(template, (bool, int, float)):
        raise ConfigurationError(
            f"payload_template: JSON cannot hold a {type(template).__name__}"
        )


def _check_choice(option: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise ConfigurationError(
            f"{option} is {', '.join(known)}, not {given!r}{did_you_mean(given, known)}"
        )


class WebhookAction(SendingAction[WebhookConfig]):
    """Sends the result of a run to an address.

    Every try to send one has the same ``Idempotency-Key`` header. Redirects are not
    followed: they are an error that says so.

    Example:
        >>> WebhookAction(url="https://example.com/hook", auth_type="bearer",
        ...               auth_credentials={"token": "${TOKEN}"}).method
        'POST'
    """

    action_type: str = "webhook"

    def validate_config(self) -> list[str]:
        found = self._problems_of("url", self._config.url)  # type: ignore[arg-type]
        for hidden in self._secrets()[1:]:
            try:
                hidden.reveal()
            except ConfigurationError as error:
                found.append(str(error))
        return found

    def _secrets(self) -> list[Secret]:
        config: Any = self._config
        found = [
            config.url,
            *config.auth_credentials.values(),
            *config.headers.values(),
        ]
        if config.auth_type == "basic":
            with contextlib.suppress(ConfigurationError):  # a variable is not set
                known = config.auth_credentials
                found.append(Secret(_basic(known["username"], known["password"])))
        return found

    async def _execute_async(self, checkpoint_result: CheckpointResult) -> ActionResult:
        config: Any = self._config
        has_body = config.method not in ("GET", "DELETE")
        answer = await self._send(
            config.method,
            config.url,
            headers=self._headers(checkpoint_result),
            body=self._build_payload(checkpoint_result) if has_body else None,
            accepted=config.success_codes,
            verify=config.ssl_verify,
        )
        return self.result("success", "sent", status_code=answer.status_code)

    def _headers(self, checkpoint_result: CheckpointResult) -> dict[str, str]:
        config: Any = self._config
        headers = {"Idempotency-Key": self._key(checkpoint_result)}
        headers.update({key: v.reveal() for key, v in config.headers.items()})
        known = {key: v.reveal() for key, v in config.auth_credentials.items()}
        if config.auth_type == "basic":
            pair = _basic(*(config.auth_credentials[key] for key in NEEDED["basic"]))
            headers["Authorization"] = f"Basic {pair}"
        elif config.auth_type == "bearer":
            headers["Authorization"] = f"Bearer {known['token']}"
        elif config.auth_type == "api_key":
            headers[known.get("header") or "X-API-Key"] = known["key"]
        return headers

    def _build_payload(self, checkpoint_result: CheckpointResult) -> Any:
        template = self._config.payload_template
        if template is not None:
            told = facts(checkpoint_result)
            return _filled(template, told)
        payload: dict[str, Any] = {
            "event": "checkpoint_completed",
            "checkpoint": checkpoint_result.checkpoint_name,
            "status": str(checkpoint_result.status),
            "run_id": checkpoint_result.run_id,
            "run_time": checkpoint_result.run_time.isoformat(),
            "data_asset": checkpoint_result.data_asset,
            "duration_ms": _finite(checkpoint_result.duration_ms),
            "summary": checkpoint_result.summary(),
        }
        if self._config.include_full_result:
            payload["full_result"] = checkpoint_result.to_dict()
        return payload


def _basic(username: Secret, password: Secret) -> str:
    pair = f"{username.reveal()}:{password.reveal()}".encode()
    return base64.b64encode(pair).decode()


STATISTICS = (
    "total_checks",
    "passed_checks",
    "total_issues",
    "critical_issues",
    "high_issues",
    "medium_issues",
    "low_issues",
    "total_records",
    "pass_rate",
)
FACTS = (
    "checkpoint",
    "run_id",
    "status",
    "run_time",
    "data_asset",
    "duration_ms",
    "error",
    "summary",
    *STATISTICS,
)


def facts(result: CheckpointResult) -> dict[str, str]:
    """Return what a template may name, as texts."""
    found = getattr(result.validation_run, "statistics", None)
    known: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    return {
        "checkpoint": result.checkpoint_name,
        "run_id": result.run_id,
        "status": str(result.status),
        "run_time": result.run_time.isoformat(),
        "data_asset": result.data_asset,
        "duration_ms": f"{result.duration_ms:.1f}",
        "error": result.error or "",
        "summary": result.summary(),
        **{name: str(known.get(name, "")) for name in STATISTICS},
    }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _filled(template: Any, told: Mapping[str, str]) -> Any:
    if isinstance(template, str):
        return _PLACEHOLDER.sub(lambda m: told[m[1]], template)
    if isinstance(template, Mapping):
        return {key: _filled(value, told) for key, value in template.items()}
    if isinstance(template, (list, tuple)):
        return [_filled(value, told) for value in template]
    return template
