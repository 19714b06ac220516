"""``EmailNotification``: a mail over SMTP, in plain text and HTML."""

from __future__ import annotations

import base64
import contextlib
import email.policy
import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses
from functools import partial
from typing import Any

from truthound.checkpoint._threads import ACTIONS, in_thread
from truthound.checkpoint.actions._notifying import Notification, NotificationConfig
from truthound.checkpoint.actions._partly import Partly
from truthound.checkpoint.actions._places import ANY, check_places, filled, one_line
from truthound.checkpoint.actions._sending import secret
from truthound.checkpoint.actions._smtp import (
    AllRefusedError,
    Refused,
    Server,
    context_of,
    listed,
    send,
)
from truthound.checkpoint.messages.html import as_html
from truthound.checkpoint.messages.limits import MAIL_SUBJECT, cut
from truthound.checkpoint.messages.message import Message
from truthound.checkpoint.messages.text import as_text
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ActionError, ConfigurationError
from truthound.secrets import Secret, without_password

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass
class EmailConfig(NotificationConfig):
    """Options of an :class:`EmailNotification`.

    An address is one like ``ann@example.com`` or ``Ann <ann@example.com>``; several are
    a list, or one text with commas.

    Attributes:
        smtp_host: the server.
        smtp_port: None: 587, with ``use_ssl`` 465, without any TLS 25.
        smtp_user: to log in as; None: without.
        smtp_password: of the user; a secret, also as ``${NAME}``.
        use_tls: begin TLS by STARTTLS; a server that has none is refused.
        use_ssl: speak TLS from the first byte on; ``use_tls`` then says nothing.
        ssl_verify: False: send to anybody who claims to be the server.
        ca_file: certificates of authorities to trust, beside those of the system.
        from_address: of the sender.
        to_addresses: who gets it.
        cc_addresses: who gets it, too.
        bcc_addresses: who gets it and is not named in it.
        reply_to: to whom answers go.
        subject_template: it may name ``{title}``, ``{checkpoint}``, ``{status}``,
            ``{severity}``, ``{source}`` and ``{run_id}``.
        include_html: send the message as HTML, too.
    """

    smtp_host: str = "localhost"
    smtp_port: int | None = None
    smtp_user: str | None = None
    smtp_password: Secret | str = ""
    use_tls: bool = True
    use_ssl: bool = False
    ssl_verify: bool = True
    ca_file: str | os.PathLike[str] | None = None
    from_address: str = ""
    to_addresses: Sequence[str] | str = field(default_factory=list)
    cc_addresses: Sequence[str] | str = field(default_factory=list)
    bcc_addresses: Sequence[str] | str = field(default_factory=list)
    reply_to: Sequence[str] | str = field(default_factory=list)
    subject_template: str = "{title}"
    include_html: bool = True

    def check(self) -> None:
        super().check()
        self.smtp_password = secret("smtp_password", self.smtp_password)
        _check_host(self.smtp_host)
        port = self.smtp_port
        is_port = isinstance(port, int) and not isinstance(port, bool)
        if port is not None and not (is_port and 0 < port < 65_536):
            raise ConfigurationError(
                f"smtp_port is a number from 1 to 65535, not {port!r}"
            )
        if self.smtp_password and not self.smtp_user:
            raise ConfigurationError("smtp_password needs smtp_user")
        if len(addresses("from_address", self.from_address)) != 1:
            raise ConfigurationError("from_address: expected one address")
        for option in ("to_addresses", "cc_addresses", "bcc_addresses", "reply_to"):
            addresses(option, getattr(self, option))
        if not self.recipients():
            raise ConfigurationError(
                "expected somebody in to_addresses, cc_addresses or bcc_addresses"
            )
        check_places("subject_template", self.subject_template, ANY)

    def recipients(self) -> list[Address]:
        """Return all who get it, each once."""
        found: dict[str, Address] = {}
        for option in ("to_addresses", "cc_addresses", "bcc_addresses"):
            for address in addresses(option, getattr(self, option)):
                found.setdefault(address.addr_spec, address)
        return list(found.values())


class EmailNotification(Notification[EmailConfig]):
    """Sends a mail about how a run ended, unless it is a success (``notify_on``).

    All tries to send it have the same ``Message-ID``, and the mails of one incident
    refer to the first of them. If the server refuses some recipients, the others get
    it, and ``details["refused"]`` says who does not. Those who are refused for now are
    tried again, without those who have it.

    Example:
        >>> EmailNotification(
        ...     smtp_host="mail.example.com", from_address="checks@example.com",
        ...     to_addresses=["Ann <ann@example.com>"], smtp_user="checks",
        ...     smtp_password="${SMTP_PASSWORD}").smtp_password
        Secret(***)
    """

    action_type: str = "email"

    def __init__(self, config: EmailConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self._partly = Partly(self.name)
        _warn_of(self._config)

    def validate_config(self) -> list[str]:
        config: Any = self._config
        found = []
        try:
            config.smtp_password.reveal()
            if config.use_tls or config.use_ssl:
                context_of(config.ssl_verify, config.ca_file)
        except ConfigurationError as error:
            found.append(str(error))
        return found

    def _secrets(self) -> list[Secret]:
        config: Any = self._config
        found: list[Secret] = [config.smtp_password]
        with contextlib.suppress(ConfigurationError):  # a variable is not set
            if password := config.smtp_password.reveal():
                # As it is sent, which a server may repeat.
                sent = (password, f"\0{config.smtp_user}\0{password}")
                forms = (base64.b64encode(text.encode()).decode() for text in sent)
                found.extend(Secret(form) for form in forms)
        return found

    async def _notify(
        self, message: Message, checkpoint_result: CheckpointResult
    ) -> ActionResult:
        config = self._config
        (sender,) = addresses("from_address", config.from_address)
        recipients = [address.addr_spec for address in config.recipients()]
        identity = self._message_id(sender, checkpoint_result)
        mail = self._mail(message, identity)
        # Names of hosts have an ASCII form, what is before the @ has none.
        utf8 = not all(spec.isascii() for spec in (sender.addr_spec, *recipients))
        policy = email.policy.SMTPUTF8 if utf8 else email.policy.SMTP
        content = mail.as_bytes(policy=policy.clone(cte_type="7bit"))
        server = await self._server()
        shown = {header: str(value) for header, value in mail.items()}
        where = f"smtp://{server.host}:{server.port}"
        self._note_sent("SMTP", where, shown, as_text(message))
        key = f"{self._key(checkpoint_result)}:{message.kind}"
        before = await self._partly.ended(key)
        left = [who for who in recipients if who not in before]
        refused: dict[str, Refused] = {}
        if left:
            try:
                refused = await send(server, sender.addr_spec, left, content, utf8)
            except AllRefusedError as error:
                if "" not in before.values():  # nobody has got it so far
                    raise
                refused = error.refused
        ended = {
            **before,
            **{who: "" for who in left if who not in refused},
            **{who: one.said for who, one in refused.items() if one.is_final},
        }
        if refused:
            logger.warning("%s: refused: %s", self.name, self._safe(listed(refused)))
        await self._see_to_the_rest(key, recipients, before, ended, refused)
        rejected = {who: why for who, why in ended.items() if why}
        details: dict[str, Any] = {"refused": rejected} if rejected else {}
        told = len(ended) - len(rejected)
        return self.result(
            "success",
            f"sent to {told} of {len(recipients)}" if rejected else "sent",
            message_id=identity,
            recipients=told,
            thread=message.thread or identity,
            **details,
        )

    async def _see_to_the_rest(
        self,
        key: str,
        recipients: Sequence[str],
        before: Mapping[str, str],
        ended: Mapping[str, str],
        refused: Mapping[str, Refused],
    ) -> None:
        """Let those be tried again who were refused for now; the others have it.

        Raises:
            ActionError: there are some.
        """
        later = {who: one for who, one in refused.items() if not one.is_final}
        if later:
            await self._partly.keep(key, ended)
            told = len(recipients) - len(later)
            raise ActionError(
                f"{self._config.smtp_host}: settled for {told} of {len(recipients)}; "
                f"refused for now: {listed(later)}"
            )
        if before:
            await self._partly.keep(key, {})

    async def _server(self) -> Server:
        config: Any = self._config
        is_tls = config.use_ssl
        is_starttls = config.use_tls and not is_tls
        context = None
        if is_tls or is_starttls:
            read = partial(context_of, config.ssl_verify, config.ca_file)
            context = await in_thread(read, ACTIONS)
        return Server(
            host=config.smtp_host,
            port=config.smtp_port or (465 if is_tls else 587 if is_starttls else 25),
            is_tls=is_tls,
            is_starttls=is_starttls,
            context=context,
            user=config.smtp_user or None,
            password=config.smtp_password.reveal(),
        )

    def _message_id(self, sender: Address, result: CheckpointResult) -> str:
        """Return an id that is the same for every try to send this."""
        digest = hashlib.sha256(self._key(result).encode()).hexdigest()[:32]
        return f"<truthound.{digest}@{sender.domain}>"

    def _mail(self, message: Message, identity: str) -> EmailMessage:
        config: Any = self._config
        mail = EmailMessage(policy=email.policy.SMTP.clone(cte_type="7bit"))
        mail["From"] = addresses("from_address", config.from_address)
        for header, option in (
            ("To", "to_addresses"),
            ("Cc", "cc_addresses"),
            ("Reply-To", "reply_to"),
        ):
            if named := addresses(option, getattr(config, option)):
                mail[header] = named
        subject = one_line(filled(config.subject_template, message))
        mail["Subject"] = cut(subject, MAIL_SUBJECT)
        mail["Date"] = format_datetime(self.clock.now())
        mail["Message-ID"] = identity
        if message.thread and (thread := one_line(message.thread)) != identity:
            mail["In-Reply-To"] = thread
            mail["References"] = thread
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody answers it
        mail["X-Auto-Response-Suppress"] = "All"  # and Exchange
        mail.set_content(_sound(as_text(message)))
        if config.include_html:
            mail.add_alternative(_sound(as_html(message)), subtype="html")
        return mail


def addresses(option: str, given: Sequence[str] | str) -> list[Address]:
    """Return the addresses that an option names.

    Raises:
        ConfigurationError: one of them is none.
    """
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, (list, tuple)) or not all(
        isinstance(text, str) for text in texts
    ):
        raise ConfigurationError(f"{option} is an address, or a list, not {given!r}")
    found = []
    for text in texts:
        if text != one_line(text) and text.strip() != one_line(text):
            raise ConfigurationError(f"{option}: {text!r} is more than one line")
        found += [_address(option, text, *pair) for pair in getaddresses([text])]
    return [address for address in found if address is not None]


def _warn_of(config: EmailConfig) -> None:
    is_tls = config.use_tls or config.use_ssl
    if is_tls and not config.ssl_verify:
        logger.warning(
            "mail to %s: ssl_verify is off: anybody in between can read and change "
            "what is sent",
            config.smtp_host,
        )
    if config.smtp_user and not is_tls and config.smtp_host not in LOCAL:
        logger.warning(
            "mail to %s: the password is sent without TLS: anybody in between can "
            "read it",
            config.smtp_host,
        )


def _check_host(host: str) -> None:
    if not host:
        raise ConfigurationError("the option smtp_host is missing")
    if host.count(":") == 1 and "://" not in host:
        raise ConfigurationError(
            f"smtp_host is a name alone, not {host!r}; the number is smtp_port"
        )
    if "/" in host or "@" in host or any(c.isspace() for c in host):
        raise ConfigurationError(
            f"smtp_host is a name like mail.example.com, not {without_password(host)!r}"
        )


def _address(option: str, text: str, name: str, spec: str) -> Address | None:
    if not text.strip():
        return None
    user, at, domain = spec.rpartition("@")
    wrong = f"{option}: expected an address like ann@example.com, not {text!r}"
    if not at or not user or not domain or any(c.isspace() for c in spec):
        raise ConfigurationError(wrong)
    try:
        return Address(name, user, domain.encode("idna").decode())
    except ValueError:  # UnicodeError is one, too
        raise ConfigurationError(wrong) from None


def _sound(text: str) -> str:
    """Return a text that UTF-8 can hold, without what ends a mail."""
    sound = text.encode("utf-8", "replace").decode("utf-8")
    return sound.replace("\0", "\N{REPLACEMENT CHARACTER}")
