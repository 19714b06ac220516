"""A mail server on the loopback interface (aiosmtpd), in the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult


@dataclass
class Mail:
    """A mail as it was taken."""

    sender: str
    recipients: list[str]
    content: bytes
    is_tls: bool
    login: str | None
    options: list[str]

    @property
    def message(self) -> EmailMessage:
        found = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        assert not found.defects
        return found


class Inbox:
    """What a test sees of the server.

    Attributes:
        mails: that were taken.
        refused: answers to recipients who are refused.
        answers: to the next mails, before one is taken.
        opened: connections that are open.
        most: how many were open at once.
        port: where it listens.
        closed: set when a connection has ended.
        silent: set when a server with a script says no more.
    """

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refused: dict[str, str] = {}
        self.answers: list[str] = []
        self.opened: set[int] = set()
        self.connections = self.most = 0
        self.port = 0
        self.closed = asyncio.Event()
        self.silent = asyncio.Event()

    @property
    def open(self) -> int:
        return len(self.opened)

    def came(self, connection: object) -> None:
        # One that goes on over TLS comes twice.
        self.connections += id(connection) not in self.opened
        self.opened.add(id(connection))
        self.most = max(self.most, self.open)
        self.closed.clear()

    def went(self, connection: object) -> None:
        self.opened.discard(id(connection))
        self.closed.set()

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answers:
            return self.answers.pop(0)
        login = session.auth_data
        self.mails.append(
            Mail(
                envelope.mail_from,
                list(envelope.rcpt_tos),
                envelope.content,
                server.transport.get_extra_info("sslcontext") is not None,
                login.login.decode() if login else None,
                list(envelope.mail_options),
            )
        )
        return "250 OK"


@contextlib.asynccontextmanager
async def receiving(
    *,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    password: str | None = None,
    utf8: bool = True,
) -> AsyncIterator[Inbox]:
    """Receive mail on a free port.

    Args:
        tls: speak TLS from the first byte on.
        starttls: offer it.
        password: nobody may send who does not log in as ``checks`` with it.
        utf8: take addresses with other characters than ASCII.
    """
    inbox = Inbox()

    def login(server: Any, session: Any, envelope: Any, kind: str, data: Any) -> Any:
        is_known = (data.login, data.password) == (b"checks", str(password).encode())
        return AuthResult(success=is_known, handled=False, auth_data=data)

    class Connection(SMTP):
        def connection_made(self, transport: Any) -> None:
            inbox.came(self)
            super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            inbox.went(self)
            super().connection_lost(error)

    def made() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a login without TLS is not wise
            return Connection(
                inbox,
                hostname="mail.test",
                enable_SMTPUTF8=utf8,
                tls_context=starttls,
                authenticator=login if password else None,
                auth_required=password is not None,
                auth_require_tls=starttls is not None,
            )

    async with _listening(made, tls) as port:
        inbox.port = port
        yield inbox


@contextlib.asynccontextmanager
async def _listening(
    made: Callable[[], Any], tls: ssl.SSLContext | None
) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    before = asyncio.all_tasks()
    server = await loop.create_server(made, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        left = asyncio.all_tasks() - before
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await server.wait_closed()


@contextlib.asynccontextmanager
async def talking(
    *lines: bytes | None, tls: ssl.SSLContext | None = None, is_deaf: bool = False
) -> AsyncIterator[Inbox]:
    """Serve a script: a line is said, then one is read; None cuts the connection off.

    When the script is over the server says nothing more; if it is deaf, it does not
    hear either that the client goes.
    """
    inbox = Inbox()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inbox.came(writer)
        try:
            for line in lines:
                if line is None:
                    return
                writer.write(line + b"\r\n")
                await writer.drain()
                if line.startswith(b"354"):
                    await reader.readuntil(b"\r\n.\r\n")
                elif not await reader.readline():
                    return
            if is_deaf:
                _deafened(writer)
            inbox.silent.set()
            if is_deaf:
                await asyncio.Event().wait()
            while await reader.read(65_536):
                pass
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass  # the client has gone
        except asyncio.CancelledError:
            pass  # the test is over, and streams complain of cancelled tasks
        finally:
            writer.transport.abort()
            inbox.went(writer)

    before = asyncio.all_tasks()
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    inbox.port = server.sockets[0].getsockname()[1]
    try:
        yield inbox
    finally:
        server.close()
        left = asyncio.all_tasks() - before
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await server.wait_closed()


def _deafened(writer: asyncio.StreamWriter) -> None:
    transport: Any = writer.transport
    if isinstance(writer.get_extra_info("sslcontext"), ssl.SSLContext):
        # The one over TLS hears a farewell even when it does not read.
        transport = transport._ssl_protocol._transport
    transport.pause_reading()
