"""Signatures of messages over HTTP: those of Standard Webhooks, and of GitHub.

A message of Standard Webhooks has three headers: its id, when it was sent, and the
signatures, one for each secret that is in use: HMAC-SHA256 over ``id.time.body``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from typing import Any

from truthound.errors import ConfigurationError
from truthound.secrets import Secret

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"
PREFIX = "whsec_"
VERSION = "v1"
LONGEST = 200  # characters of an id of ours
MOST = 20  # signatures of one message that are looked at

# What an id may be. Not with ".<digits>" at its end: its end could then be taken for
# the time, and the time for the beginning of the body.
_ID = re.compile(r"(?!.*\.\d+\Z)[\x21-\x7e]{1,256}\Z")
_TIME = re.compile(r"\d{1,12}\Z", re.ASCII)


def secrets_of(option: str, given: Any) -> tuple[Secret, ...]:
    """Return one or several secrets as secrets; None and an empty text are none.

    Raises:
        ConfigurationError: something else than a text was given.
    """
    if given is None or given == "":
        return ()
    several = given if isinstance(given, (list, tuple)) else [given]
    try:
        found = tuple(Secret(one) for one in several)
    except ConfigurationError as error:
        raise ConfigurationError(f"{option}: {error}") from None
    if not all(found):
        raise ConfigurationError(f"{option}: one of the secrets is empty")
    return found


def key_of(option: str, secret: Secret) -> bytes:
    """Return the key that a secret of Standard Webhooks holds.

    Args:
        option: for the message.
        secret: in Base64, with ``whsec_`` before it or not.

    Raises:
        ConfigurationError: it is no Base64, or refers to a variable that is not set.
    """
    text = secret.reveal().strip().removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ConfigurationError(
            f"{option}: expected Base64, with {PREFIX} before it or not, such as "
            f"'openssl rand -base64 32' prints"
        )
    return key


def signature(key: bytes, id_: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a message, with its version."""
    signed = f"{id_}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"{VERSION},{base64.b64encode(digest).decode()}"


def signed_headers(
    keys: Iterable[bytes], id_: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Return the headers of a message that is signed with some keys."""
    moment = str(timestamp)
    return {
        ID: id_,
        TIMESTAMP: moment,
        SIGNATURE: " ".join(signature(key, id_, moment, body) for key in keys),
    }


def id_of(key: str) -> str:
    """Return an id for a message that has a key already; it is no longer than others.

    Args:
        key: in ASCII, the same each time the message is sent.
    """
    id_ = key.replace(".", "%2E")  # a full stop is what stands between id and time
    if len(id_) <= LONGEST:
        return id_
    return hashlib.sha256(id_.encode()).hexdigest()


def is_id(text: str) -> bool:
    """Tell whether a text can be the id of a message."""
    return _ID.match(text) is not None


def time_of(text: str) -> int | None:
    """Return the seconds since 1970 that a header says; None if it says none."""
    return int(text) if _TIME.match(text) else None


def is_signed(
    keys: Sequence[bytes], id_: str, timestamp: str, body: bytes, given: str
) -> bool:
    """Tell whether one of the signatures that were given is one of ours.

    It takes as long whichever of them it is, and whether it is any.
    """
    ours = [signature(key, id_, timestamp, body) for key in keys]
    return _meet(ours, given.split(" ")[:MOST])


def is_signed_as_github(keys: Sequence[bytes], body: bytes, given: str) -> bool:
    """Tell whether ``X-Hub-Signature-256`` holds the signature of a body."""
    digests = [hmac.new(key, body, hashlib.sha256).hexdigest() for key in keys]
    return _meet([f"sha256={digest}" for digest in digests], [given])


def is_one_of(known: Sequence[str], given: str) -> bool:
    """Tell whether a text is one of those that are known."""
    return _meet(known, [given])


def _meet(ours: Sequence[str], given: Sequence[str]) -> bool:
    found = False
    for one in given:
        for our in ours:
            found |= hmac.compare_digest(
                our.encode(), one.encode("utf-8", "surrogateescape")
            )
    return found
