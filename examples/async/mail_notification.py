"""A mail about bad data, from the first byte to the last.

A mail server runs in this program, a checkpoint finds two rides with one number, and
the mail that arrives is printed as people see it. The server needs `pip install
aiosmtpd`; the mail itself needs nothing besides the package.

    python examples/async/mail_notification.py
"""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import polars as pl
from aiosmtpd.smtp import SMTP

from truthound.checkpoint import Checkpoint
from truthound.checkpoint.actions import EmailNotification

RIDES = pl.DataFrame({"id": [1, 2, 2], "fare": [12.5, 8.0, -4.0]})


class Inbox:
    """Keeps the mails that are sent to it; one address it does not know."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd calls
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address.startswith("gone@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


async def main() -> None:
    """Run everything."""
    inbox, loop = Inbox(), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(inbox, hostname="localhost"), "127.0.0.1", 0
    )
    async with server:
        rides = Checkpoint(
            "rides",
            data_source=RIDES,
            validators=[
                {"unique": {"column": "id", "severity": "critical"}},
                {"range": {"column": "fare", "min": 0}},
            ],
            actions=[
                EmailNotification(
                    smtp_host="127.0.0.1",
                    smtp_port=server.sockets[0].getsockname()[1],
                    use_tls=False,  # the server is on this machine
                    from_address="Data checks <checks@example.com>",
                    to_addresses="Jörg <joerg@example.com>, gone@example.com",
                    subject_template="[{severity}] {title}",
                    links={"Runs": "https://checks.example.com/{checkpoint}"},
                )
            ],
        )
        result = await rides.run_async()
    (told,) = result.action_results
    print(f"{told.action_name}: {told.status}, {told.message}")
    for address, why in told.details.get("refused", {}).items():
        print(f"  {address}: {why}")
    for mail in inbox.mails:
        show(mail)


def show(mail: EmailMessage) -> None:
    """Print a mail as people see it."""
    print()
    for header in ("From", "To", "Subject", "Auto-Submitted"):
        print(f"{header}: {mail[header]}")
    text = mail.get_body(preferencelist=("plain",))
    assert text is not None
    print()
    print(text.get_content().strip())


if __name__ == "__main__":
    asyncio.run(main())
