"""One mail over SMTP: sent, refused, or its connection closed at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from truthound.errors import ActionError, ConfigurationError

AT_ONCE = 5  # connections to one server; some public ones take no more
QUIT = 2.0  # seconds for a farewell; the mail has been taken before
TLS_LOGINS = ("plain", "login", "cram-md5")
PLAIN_LOGINS = ("cram-md5", "plain", "login")
SHOWN = 200  # characters of an answer that refuses


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where mail goes, and how.

    Attributes:
        host: its name.
        port: on which it listens.
        is_tls: speak TLS from the first byte on.
        is_starttls: ask for TLS; a server that has none is refused.
        context: for TLS.
        user: to log in as; None: without.
        password: of the user.
    """

    host: str
    port: int
    is_tls: bool
    is_starttls: bool
    context: ssl.SSLContext | None
    user: str | None
    password: str


@dataclass(frozen=True, slots=True)
class Refused:
    """That a recipient was refused.

    Attributes:
        said: by the server.
        is_final: the same again would be refused again.
    """

    said: str
    is_final: bool

    @classmethod
    def of(cls, code: int, message: str) -> Refused:
        """Return what an answer means."""
        return cls(_said(code, message), _is_final(code))


class AllRefusedError(ActionError):
    """No recipient was accepted.

    Attributes:
        refused: by recipient.
    """

    def __init__(self, host: str, refused: dict[str, Refused]) -> None:
        super().__init__(
            f"{host} refused all recipients: {listed(refused)}",
            is_final=all(one.is_final for one in refused.values()),
        )
        self.refused = refused


class _Connection(SMTP):
    """A connection that is cut off unless it said farewell.

    To close one over TLS politely takes the other side, which may hang.
    """

    is_over = False

    def close(self) -> None:
        transport: Any = self.transport
        if transport is not None and not self.is_over:
            transport.abort()
        super().close()


async def send(
    server: Server, sender: str, recipients: Sequence[str], content: bytes, utf8: bool
) -> dict[str, Refused]:
    """Send a mail and return what was refused, by recipient.

    Of many at once some wait: servers refuse who comes with too many connections. If
    cancelled, the connection is cut off and the cancellation goes on.

    Args:
        server: where to.
        sender: of the envelope.
        recipients: of the envelope.
        content: header and body.
        utf8: an address has other characters than ASCII before its @.

    Raises:
        AllRefusedError: no recipient was accepted.
        ActionError: the server is not there, or refuses the mail.
    """
    async with _turn(server):
        return await _sent(server, sender, recipients, content, utf8)


async def _sent(
    server: Server, sender: str, recipients: Sequence[str], content: bytes, utf8: bool
) -> dict[str, Refused]:
    connection = _Connection(
        hostname=server.host,
        port=server.port,
        local_hostname=_own_name(),
        timeout=None,  # the action has one for the whole
        use_tls=server.is_tls,
        start_tls=server.is_starttls,
        tls_context=server.context,
    )
    try:
        await connection.connect()
        if server.user is not None:
            await _log_in(connection, server.user, server.password)
        refused, _ = await connection.sendmail(
            sender, recipients, content, mail_options=["SMTPUTF8"] if utf8 else []
        )
        with contextlib.suppress(SMTPException):
            await connection.quit(timeout=QUIT)
            connection.is_over = True
    except SMTPRecipientsRefused as error:
        told = {
            one.recipient: Refused.of(one.code, one.message) for one in error.recipients
        }
        raise AllRefusedError(server.host, told) from error
    except SMTPResponseException as error:
        kind = "" if error.code > 0 else "not SMTP: "
        said = f"{kind}{_said(error.code, error.message)}"
        raise ActionError(
            f"{server.host} answered {said}", is_final=_is_final(error.code)
        ) from error
    except OSError as error:  # SMTPConnectError and SMTPServerDisconnected, too
        raise ActionError(f"{server.host}: {_why(error)}") from error
    except (SMTPException, ValueError) as error:  # what it cannot do at all
        raise ActionError(f"{server.host}: {error}", is_final=True) from error
    finally:
        connection.close()
    return {who: Refused.of(*answer) for who, answer in refused.items()}


Turns = dict[tuple[str, int], asyncio.Semaphore]  # by host and port
_turns: WeakKeyDictionary[Any, Turns] = WeakKeyDictionary()  # by loop


def _turn(server: Server) -> asyncio.Semaphore:
    """Return what lets so many in at once, of all mails of this loop to a server."""
    of_loop = _turns.setdefault(asyncio.get_running_loop(), {})
    return of_loop.setdefault((server.host, server.port), asyncio.Semaphore(AT_ONCE))


async def _log_in(connection: _Connection, user: str, password: str) -> None:
    """Log in by the first way that the server offers and takes.

    Some servers hang up on a wrong password: that is not to be tried again, either.
    """
    await connection.ehlo()
    is_tls = connection.get_transport_info("sslcontext") is not None
    # Over TLS the plain ways are as good, and work with passwords kept as digests.
    ways = TLS_LOGINS if is_tls else PLAIN_LOGINS
    offered = [way for way in ways if way in connection.server_auth_methods]
    refusal: SMTPAuthenticationError | None = None
    for way in offered or ways:
        connection.AUTH_METHODS = (way,)
        try:
            await connection.login(user, password)
            return
        except SMTPAuthenticationError as error:
            refusal = error
        except SMTPServerDisconnected:
            if refusal is not None:
                break
            raise
    if refusal is not None:
        raise refusal


def context_of(verify: bool, ca_file: str | os.PathLike[str] | None) -> ssl.SSLContext:
    """Return what TLS needs to know. Blocks: it reads the certificates.

    Args:
        verify: ask the server who it is.
        ca_file: certificates of authorities to trust, beside those of the system.

    Raises:
        ConfigurationError: the file is not there, or holds none.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=os.fspath(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"ca_file: expected certificates in {os.fspath(ca_file)}: {error}"
            ) from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _own_name() -> str:
    # RFC 5321, 4.1.4: who has no full name says an address. The name is not looked up:
    # that can take long.
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


def listed(refused: Mapping[str, Refused]) -> str:
    """Return who was refused and why, in one line."""
    return "; ".join(f"{who}: {one.said}" for who, one in refused.items())


def _is_final(code: int) -> bool:
    return 500 <= code < 600  # RFC 5321, 4.2.1: the same again is refused again


def _said(code: int, message: str) -> str:
    text = message.encode("utf-8", "replace").decode("utf-8")
    return " ".join(f"{code} {text}".split())[:SHOWN]


def _why(error: BaseException) -> str:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {cause.verify_message}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    return f"{type(error).__name__}: {error}"
