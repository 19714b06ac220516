"""Mail over SMTP: what is sent, to whom, how safely, and how it ends if it is not."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from mail_server import Inbox, receiving, talking
from probes import ROWS, WHOLE, checkpoint
from scripted_server import free_port
from truthound.checkpoint import CheckpointResult
from truthound.checkpoint._trial import try_action
from truthound.checkpoint.actions import EmailNotification, _smtp
from truthound.checkpoint.actions.mail import addresses
from truthound.checkpoint.messages.message import grouped
from truthound.checkpoint.outbox import deliver_due
from truthound.errors import ConfigurationError
from truthound.store import Store

BAD: CheckpointResult = checkpoint("rides", ROWS).run()
GOOD: CheckpointResult = checkpoint("rides", WHOLE).run()
PASSWORD = "c4n4ry-p4ssw0rd"
FROM, TO = "Checks <checks@example.com>", "ann@example.org"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


@pytest.fixture(scope="module")
def certified(authority: trustme.CA) -> Callable[..., ssl.SSLContext]:
    def context(name: str = "127.0.0.1") -> ssl.SSLContext:
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name).configure_cert(made)
        return made

    return context


def mail(inbox: Inbox, **options: Any) -> EmailNotification:
    options = {
        "smtp_host": "127.0.0.1",
        "smtp_port": inbox.port,
        "use_tls": False,
        "from_address": FROM,
        "to_addresses": TO,
        "retry_delay_seconds": 0,
        **options,
    }
    return EmailNotification(**options)


def body(message: Any, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    assert part is not None
    return str(part.get_content())


# ------------------------------------------------------------------ what is sent


async def test_mail_says_how_the_run_ended() -> None:
    async with receiving() as inbox:
        told = await mail(inbox).execute_async(BAD)
        await inbox.closed.wait()
        assert inbox.open == 0

    assert told.success, told.error
    (sent,) = inbox.mails
    assert (sent.sender, sent.recipients) == ("checks@example.com", [TO])
    message = sent.message
    assert message["Subject"] == "rides: warning"
    assert message["From"] == FROM
    assert message["To"] == TO
    assert message["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(message["Date"]).tzinfo is not None
    assert message.get_content_type() == "multipart/alternative"
    for kind in ("plain", "html"):
        assert "null(fare)" in body(message, kind)
        assert "rides" in body(message, kind)
    assert told.details == {
        "message_id": message["Message-ID"],
        "recipients": 1,
        "thread": message["Message-ID"],
    }


async def test_text_alone() -> None:
    async with receiving() as inbox:
        await mail(inbox, include_html=False).execute_async(BAD)

    assert inbox.mails[0].message.get_content_type() == "text/plain"


async def test_names_and_other_alphabets_arrive() -> None:
    async with receiving() as inbox:
        told = await mail(
            inbox,
            from_address='"Prüfung, Daten" <checks@bücher.example>',
            to_addresses=["Ann Müller <ann@example.org>", "ben@example.org"],
            cc_addresses="cem@example.org, Dee <dee@example.org>",
            bcc_addresses=["eve@example.org"],
            reply_to=["Team 日本 <data@example.org>"],
            subject_template="[{status}] {checkpoint} → {severity}",
        ).execute_async(replace(BAD, checkpoint_name="Fährten 日本"))

    assert told.success, told.error
    (sent,) = inbox.mails
    assert sent.sender == "checks@xn--bcher-kva.example"
    assert sent.recipients == [
        f"{name}@example.org" for name in ("ann", "ben", "cem", "dee", "eve")
    ]
    message = sent.message
    named = message["From"].addresses[0]
    assert named.display_name == "Prüfung, Daten"
    assert [a.display_name for a in message["To"].addresses] == ["Ann Müller", ""]
    assert [a.addr_spec for a in message["Cc"].addresses] == [
        *("cem@example.org", "dee@example.org")
    ]
    assert message["Bcc"] is None
    assert b"eve@example.org" not in sent.content
    assert message["Reply-To"].addresses[0].display_name == "Team 日本"
    assert message["Subject"].startswith("[warning] Fährten 日本 → ")
    assert "Fährten 日本" in body(message, "plain")
    sent.content.decode("ascii")  # any server can take it
    assert max(map(len, sent.content.splitlines())) <= 998


async def test_address_before_the_at_needs_a_server_that_knows_it() -> None:
    to = "jörg@example.org"
    async with receiving() as able, receiving(utf8=False) as unable:
        told = await mail(able, to_addresses=to).execute_async(BAD)
        refused = await mail(unable, to_addresses=to, retry_count=2).execute_async(BAD)

    assert told.success, told.error
    (sent,) = able.mails
    (recipient,) = sent.recipients
    assert recipient.encode("utf-8", "surrogateescape").decode() == to
    assert "SMTPUTF8" in sent.options
    assert f"To: {to}\r\n".encode() in sent.content
    assert refused.status == "error"
    assert "SMTPUTF8 is not supported" in str(refused.error)
    assert unable.connections == 1


async def test_names_in_the_data_put_nothing_into_the_header() -> None:
    evil = "rides\r\nBcc: eve@example.org\r\n\r\nbody\x00\u2028X-Evil: 1\ud800"
    run = replace(BAD, checkpoint_name=evil, data_asset=evil, error=evil)
    async with receiving() as inbox:
        told = await mail(
            inbox, subject_template="{checkpoint} {source}", custom_message=evil
        ).execute_async(run)

    assert told.success, told.error
    (sent,) = inbox.mails
    assert sent.recipients == [TO]
    assert set(sent.message.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("X-Auto-Response-Suppress", "MIME-Version", "Content-Type"),
        *(["X-Peer"] if "X-Peer" in sent.message else []),
    }
    assert sent.message["Subject"].startswith("rides Bcc: eve@example.org body")
    assert len(sent.message["Subject"]) <= 200


@given(
    text=st.text(),
    template=st.sampled_from(["{title}", "{source}", "a {status} {checkpoint}"]),
)
def test_any_text_stays_where_it_belongs(text: str, template: str) -> None:
    action = mail(Inbox(), smtp_port=25, subject_template=template)
    run = replace(BAD, checkpoint_name=text, data_asset=text, error=text)

    made = action._mail(action._message(run), "<a@b.c>").as_bytes(policy=policy.SMTP)

    found = message_from_bytes(made, policy=policy.default)
    assert list(found.keys()) == [
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("X-Auto-Response-Suppress", "MIME-Version", "Content-Type"),
    ]
    assert found["To"] == TO
    assert len(str(found["Subject"]).splitlines()) <= 1
    assert [part.get_content_type() for part in found.iter_parts()] == [
        *("text/plain", "text/html"),
    ]


@given(st.text(alphabet='aä@,;:<>()[]"\\. \r\n\0\u2028\ud800') | st.text())
def test_any_address_is_one_or_refused(text: str) -> None:
    try:
        found = addresses("to_addresses", text)
    except ConfigurationError:
        return
    for address in found:
        assert address.domain.isascii()
        header = EmailMessage()
        header["To"] = address
        (line,) = header.as_string(policy=policy.SMTPUTF8).splitlines()[:-1]
        assert line.startswith("To: ")


async def test_line_of_a_dot_does_not_end_the_mail() -> None:
    async with receiving() as inbox:
        run = replace(BAD, error=f"a\n.\nQUIT\n{'x' * 5_000}")
        told = await mail(inbox, include_html=False).execute_async(run)

    assert told.success, told.error
    assert "x" * 60 in body(inbox.mails[0].message, "plain").replace("\n", "")


async def test_all_tries_have_the_same_id_and_an_incident_its_thread() -> None:
    async with receiving() as inbox:
        inbox.answers = ["451 later"]
        action = mail(inbox, retry_count=1)
        first = await action.execute_async(BAD)
        again = await mail(inbox).execute_async(BAD)
        other = replace(BAD, run_id="rides_20260302_120000_00000001")
        message = action._message(other, thread=first.details["thread"])
        reply = await action._notify(message, other)

    one, two, three = (sent.message for sent in inbox.mails)
    assert first.details["attempts"] == 2
    assert again.details["message_id"] == first.details["message_id"]
    assert one["Message-ID"] == two["Message-ID"] == first.details["thread"]
    assert one["Message-ID"].endswith("@example.com>")
    assert one["In-Reply-To"] is None
    assert three["Message-ID"] != one["Message-ID"]
    assert three["In-Reply-To"] == three["References"] == one["Message-ID"]
    assert reply.details["thread"] == one["Message-ID"]


async def test_mail_that_is_owed_keeps_its_id_over_a_restart() -> None:
    async with receiving() as inbox:
        inbox.answers = ["451 later"]

        def made() -> Any:
            action = mail(inbox, retry_delay_seconds=0.001)
            return checkpoint("rides", ROWS, actions=[action], store="s.db")

        result = await made().run_async()
        (first,) = result.action_results
        action = made().actions[0]
        delivered = await deliver_due(Store("s.db"), [made()])

    assert (first.status, first.details["owed"]) == ("error", True)
    assert [problem for _, problem in delivered] == [None]
    (sent,) = inbox.mails
    (sender,) = addresses("from_address", FROM)
    assert sent.message["Message-ID"] == action._message_id(sender, result)


async def test_test_mail_is_labelled_and_shown() -> None:
    async with receiving(password=PASSWORD) as inbox:
        action = mail(inbox, smtp_user="checks", smtp_password=PASSWORD)
        told, (shown,) = await try_action(action, "rides")

    assert told.success, told.error
    subject = "TEST, nothing has happened: rides"
    assert inbox.mails[0].message["Subject"] == shown.headers["Subject"] == subject
    assert (shown.way, shown.address) == ("SMTP", f"smtp://127.0.0.1:{inbox.port}")
    assert "this is what a failed check looks like" in shown.body


async def test_incident_is_a_thread_from_the_alarm_to_the_end() -> None:
    runs = [BAD, replace(BAD, run_id="b"), replace(GOOD, run_id="c")]
    async with receiving() as inbox:
        action = mail(inbox, alerts="change")
        told = [(await action.execute_async(run)).status for run in runs]

    assert told == ["success", "skipped", "success"]
    alarm, end = (sent.message for sent in inbox.mails)
    assert end["Subject"] == "rides: resolved, success"
    assert end["In-Reply-To"] == end["References"] == alarm["Message-ID"]


async def test_several_checkpoints_are_told_in_one_mail() -> None:
    other = replace(BAD, checkpoint_name="fares", run_id="b")
    async with receiving() as inbox:
        action = mail(inbox)
        message = grouped([action._message(BAD), action._message(other)])
        await action._notify(message, BAD)

    (sent,) = inbox.mails
    assert sent.message["Subject"] == "2 checkpoints, 2 not well"
    assert "fares" in body(sent.message, "plain")


# ----------------------------------------------------------------- who is refused


async def test_some_refused_is_told_beside_the_success(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with receiving() as inbox:
        inbox.refused = {"ben@example.org": "550 no such user"}
        told = await mail(
            inbox, to_addresses=[TO, "ben@example.org"], retry_count=2
        ).execute_async(BAD)

    assert told.success
    assert told.message == "sent to 1 of 2"
    assert told.details["refused"] == {"ben@example.org": "550 no such user"}
    assert inbox.mails[0].recipients == [TO]
    assert "refused: ben@example.org: 550 no such user" in caplog.text


async def test_who_is_refused_for_now_gets_it_later_and_nobody_twice() -> None:
    ben, eve = "ben@example.org", "eve@example.org"
    async with receiving() as inbox:
        inbox.refused = {ben: "450 greylisted", eve: "550 no such user"}
        action = mail(inbox, to_addresses=[TO, ben, eve])
        told = await action.execute_async(BAD)
        assert told.status == "error"
        assert told.error == (
            f"127.0.0.1: settled for 2 of 3; refused for now: {ben}: 450 greylisted"
        )
        assert (await action.execute_async(BAD)).status == "error"
        del inbox.refused[ben]
        told = await action.execute_async(BAD)

    assert told.success
    assert (told.message, told.details["recipients"]) == ("sent to 2 of 3", 2)
    assert told.details["refused"] == {eve: "550 no such user"}
    assert [one.recipients for one in inbox.mails] == [[TO], [ben]]
    first, second = (one.message["Message-ID"] for one in inbox.mails)
    assert first == second


async def test_who_is_refused_for_good_at_last_does_not_undo_the_others() -> None:
    ben = "ben@example.org"
    async with receiving() as inbox:
        inbox.refused = {ben: "450 greylisted"}
        action = mail(inbox, to_addresses=[TO, ben])
        await action.execute_async(BAD)
        inbox.refused = {ben: "550 no such user"}
        told = await action.execute_async(BAD)

    assert (told.status, told.message) == ("success", "sent to 1 of 2")


async def test_another_process_knows_who_has_it() -> None:
    ben = "ben@example.org"
    async with receiving() as inbox:
        inbox.refused = {ben: "450 greylisted"}

        def made() -> Any:
            action = mail(inbox, to_addresses=[TO, ben], retry_delay_seconds=0.001)
            found: Any = checkpoint("rides", ROWS, actions=[action], store="s.db")
            return found

        await made().run_async()
        inbox.refused = {}
        delivered = await deliver_due(Store("s.db"), [made()])

    assert [error for _, error in delivered] == [None]
    assert [one.recipients for one in inbox.mails] == [[TO], [ben]]


@pytest.mark.parametrize(
    ("answer", "connections"), [("550 no such user", 1), ("450 greylisted", 3)]
)
async def test_all_refused_is_an_error(answer: str, connections: int) -> None:
    async with receiving() as inbox:
        inbox.refused = {TO: answer}
        told = await mail(inbox, retry_count=2).execute_async(BAD)

    assert told.status == "error"
    assert told.error == f"127.0.0.1 refused all recipients: {TO}: {answer}"
    assert inbox.connections == connections


@pytest.mark.parametrize(
    ("answer", "connections"), [("554 spam", 1), ("452 disk is full", 3)]
)
async def test_refused_content_is_tried_again_if_it_may_help(
    answer: str, connections: int
) -> None:
    async with receiving() as inbox:
        inbox.answers = [answer] * 3
        told = await mail(inbox, retry_count=2).execute_async(BAD)

    assert told.status == "error"
    assert told.error == f"127.0.0.1 answered {answer}"
    assert inbox.connections == connections


# --------------------------------------------------------------- TLS and the login


@pytest.mark.parametrize("way", ["tls", "starttls"])
async def test_mail_goes_over_tls(
    way: str, certified: Callable[..., ssl.SSLContext], ca_file: Path
) -> None:
    async with receiving(**{way: certified()}, password=PASSWORD) as inbox:
        told = await mail(
            inbox,
            use_ssl=way == "tls",
            use_tls=True,
            ca_file=ca_file,
            smtp_user="checks",
            smtp_password=PASSWORD,
        ).execute_async(BAD)
        await inbox.closed.wait()
        assert inbox.open == 0

    assert told.success, told.error
    assert inbox.mails[0].is_tls
    assert inbox.mails[0].login == "checks"


@pytest.mark.parametrize("way", ["tls", "starttls"])
@pytest.mark.parametrize("name", ["127.0.0.1", "other.example"])
async def test_server_that_is_not_trusted_gets_nothing(
    way: str, name: str, certified: Callable[..., ssl.SSLContext], ca_file: Path
) -> None:
    trusted = ca_file if name != "127.0.0.1" else None
    async with receiving(**{way: certified(name)}) as inbox:
        told = await mail(
            inbox, use_ssl=way == "tls", use_tls=True, ca_file=trusted
        ).execute_async(BAD)
        await asyncio.sleep(0)

    assert told.status == "error"
    assert "its certificate is not to be trusted" in str(told.error)
    assert inbox.mails == []


@pytest.mark.parametrize("way", ["tls", "starttls"])
async def test_server_is_trusted_if_told_to(
    way: str,
    certified: Callable[..., ssl.SSLContext],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with receiving(**{way: certified("other.example")}) as inbox:
        told = await mail(
            inbox, use_ssl=way == "tls", use_tls=True, ssl_verify=False
        ).execute_async(BAD)

    assert told.success, told.error
    assert "ssl_verify is off" in caplog.text


async def test_server_without_starttls_gets_nothing() -> None:
    async with receiving() as inbox:
        told = await mail(inbox, use_tls=True, retry_count=2).execute_async(BAD)

    assert told.status == "error"
    assert "STARTTLS" in str(told.error)
    assert inbox.mails == []
    assert inbox.connections == 1


async def test_wrong_password_is_final_and_seen_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with receiving(password="another") as inbox:
        action = mail(inbox, smtp_user="checks", smtp_password=PASSWORD, retry_count=2)
        told = await action.execute_async(BAD)

    assert told.status == "error"
    assert "535" in str(told.error)
    assert inbox.connections == 1
    shown = [caplog.text, str(told.to_dict()), repr(action), repr(action.config)]
    shown.append(str(checkpoint(actions=[action]).to_dict()))
    assert PASSWORD not in "".join(shown)


@pytest.mark.parametrize(
    "form",
    [
        PASSWORD,
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.b64encode(f"\0checks\0{PASSWORD}".encode()).decode(),
    ],
    ids=["plain", "login", "together"],
)
async def test_password_that_the_server_repeats_is_hidden(form: str) -> None:
    said = f"535 {form} is wrong".encode()
    ehlo = b"250-mail.test\r\n250 AUTH PLAIN"
    async with talking(b"220 mail.test", ehlo, said) as inbox:
        told = await mail(
            inbox, smtp_user="checks", smtp_password=PASSWORD
        ).execute_async(BAD)

    assert told.error == "127.0.0.1 answered 535 *** is wrong"


async def test_server_that_hangs_up_on_a_wrong_password_is_not_tried_again() -> None:
    ehlo = b"250-mail.test\r\n250 AUTH LOGIN PLAIN"
    said = (b"220 mail.test", ehlo, b"535 wrong", None)
    async with talking(*said) as inbox:
        told = await mail(
            inbox, smtp_user="checks", smtp_password=PASSWORD, retry_count=3
        ).execute_async(BAD)

    assert told.error == "127.0.0.1 answered 535 wrong"
    assert inbox.connections == 1


async def test_server_that_hangs_up_before_a_login_is_tried_again() -> None:
    ehlo = b"250-mail.test\r\n250 AUTH PLAIN"
    async with talking(b"220 mail.test", ehlo, None) as inbox:
        told = await mail(
            inbox, smtp_user="checks", smtp_password=PASSWORD, retry_count=1
        ).execute_async(BAD)

    assert told.status == "error"
    assert inbox.connections == 2


async def test_server_without_login_is_told() -> None:
    async with talking(*GREETED) as inbox:
        told = await mail(inbox, smtp_user="checks", retry_count=2).execute_async(BAD)

    assert told.status == "error"
    assert "AUTH" in str(told.error)
    assert inbox.connections == 1


def test_password_without_tls_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    EmailNotification(
        smtp_host="mail.example.com",
        use_tls=False,
        smtp_user="checks",
        smtp_password=PASSWORD,
        from_address=FROM,
        to_addresses=TO,
    )
    assert caplog.text.count("the password is sent without TLS") == 1


# ---------------------------------------------------------------- servers that fail


GREETED = (b"220 mail.test", b"250 mail.test")
UNTIL_DATA = (*GREETED, b"250 OK", b"250 OK", b"354 go on")


SILENT = pytest.mark.parametrize(
    "lines",
    [
        pytest.param((), id="greeting"),
        pytest.param(GREETED[:1], id="EHLO"),
        pytest.param(GREETED, id="MAIL"),
        pytest.param(UNTIL_DATA, id="DATA"),
    ],
)


@SILENT
async def test_server_that_hangs_is_left_in_time(lines: tuple[bytes, ...]) -> None:
    async with talking(*lines) as inbox:
        told = await mail(inbox, timeout_seconds=0.3).execute_async(BAD)
        await inbox.closed.wait()

    assert told.error == "Action timed out after 0.3 s"
    assert (inbox.open, inbox.connections) == (0, 1)


@SILENT
@pytest.mark.parametrize("is_tls", [False, True])
async def test_cancelled_mail_leaves_no_connection(
    lines: tuple[bytes, ...],
    is_tls: bool,
    certified: Callable[..., ssl.SSLContext],
    ca_file: Path,
) -> None:
    async with talking(*lines, tls=certified() if is_tls else None) as inbox:
        action = mail(inbox, use_ssl=is_tls, ca_file=ca_file)
        sending = asyncio.create_task(action.execute_async(BAD))
        await inbox.silent.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await inbox.closed.wait()

    assert (inbox.open, inbox.connections) == (0, 1)


@pytest.mark.parametrize("way", [GREETED, UNTIL_DATA], ids=["MAIL", "DATA"])
async def test_server_that_does_not_even_hear_a_farewell_is_cut_off(
    way: Any, certified: Callable[..., ssl.SSLContext], ca_file: Path
) -> None:
    loop: Any = asyncio.get_running_loop()
    async with talking(*way[:-1], tls=certified(), is_deaf=True) as inbox:
        before = len(loop._selector.get_map())
        action = mail(inbox, use_ssl=True, ca_file=ca_file)
        sending = asyncio.create_task(action.execute_async(BAD))
        await inbox.silent.wait()
        assert len(loop._selector.get_map()) == before + 1
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.sleep(0)
        left = len(loop._selector.get_map()) - before

    assert left == 0, "the connection waits for an answer to its farewell"


async def test_server_that_does_not_shake_hands_is_left(ca_file: Path) -> None:
    for options in ({"use_ssl": True}, {"use_tls": True}):
        ehlo = b"250-mail.test\r\n250 STARTTLS"
        lines = () if "use_ssl" in options else (b"220 x", ehlo, b"220 go on")
        async with talking(*lines) as inbox:
            told = await mail(
                inbox, timeout_seconds=0.3, ca_file=ca_file, **options
            ).execute_async(BAD)
            await inbox.closed.wait()

        assert told.error == "Action timed out after 0.3 s"
        assert inbox.open == 0


@pytest.mark.parametrize(
    "lines",
    [(None,), (GREETED[0], None), (*UNTIL_DATA, None)],
    ids=["greeting", "EHLO", "DATA"],
)
async def test_connection_that_is_cut_is_tried_again(lines: Any) -> None:
    async with talking(*lines) as inbox:
        told = await mail(inbox, retry_count=2).execute_async(BAD)

    assert told.status == "error"
    assert str(told.error).startswith("127.0.0.1: SMTP")
    assert inbox.connections == 3


async def test_server_that_is_cut_off_at_the_farewell_has_the_mail() -> None:
    lines = (*UNTIL_DATA, b"250 taken", None)
    async with talking(*lines) as inbox:
        told = await mail(inbox).execute_async(BAD)

    assert told.success, told.error


async def test_server_that_speaks_something_else() -> None:
    async with talking(b"HTTP/1.1 400 Bad Request") as inbox:
        told = await mail(inbox).execute_async(BAD)

    assert "not SMTP" in str(told.error)


async def test_many_mails_are_sent_a_few_at_once() -> None:
    async with receiving() as inbox:
        runs = [replace(BAD, run_id=str(number)) for number in range(20)]
        action = mail(inbox)
        told = await asyncio.gather(*(action.execute_async(run) for run in runs))

    assert all(one.success for one in told)
    assert len({sent.message["Message-ID"] for sent in inbox.mails}) == 20
    # Those that have said farewell may still be open at the other side.
    assert 2 <= inbox.most <= 2 * _smtp.AT_ONCE


async def test_nobody_there() -> None:
    inbox = Inbox()
    inbox.port = free_port()
    told = await mail(inbox).execute_async(BAD)

    assert told.status == "error"
    assert str(told.error).startswith("127.0.0.1: SMTPConnectError: ")


@pytest.mark.parametrize("at_farewell", [b"250 taken"])
async def test_server_that_hangs_at_the_farewell_has_the_mail(
    at_farewell: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_smtp, "QUIT", 0.05)
    async with talking(*UNTIL_DATA, at_farewell) as inbox:
        told = await mail(inbox).execute_async(BAD)
        await inbox.closed.wait()

    assert told.success, told.error
    assert inbox.open == 0


# ------------------------------------------------------------------- wrong options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"smtp_host": ""}, "the option smtp_host is missing"),
        ({"smtp_host": "x:587"}, "the number is smtp_port"),
        ({"smtp_host": "smtp://x"}, "smtp_host is a name like mail.example.com"),
        ({"smtp_host": "x\ny"}, "smtp_host is a name like mail.example.com"),
        ({"smtp_port": 0}, "smtp_port is a number from 1 to 65535"),
        ({"smtp_port": "25"}, "smtp_port is a number"),
        ({"smtp_password": "x"}, "smtp_password needs smtp_user"),
        ({"from_address": ""}, "from_address: expected one address"),
        ({"from_address": "a@b.c, d@e.f"}, "from_address: expected one address"),
        ({"from_address": "checks"}, "expected an address like ann@example.com"),
        ({"to_addresses": []}, "expected somebody in to_addresses"),
        ({"to_addresses": ["ann@"]}, "to_addresses: expected an address"),
        ({"to_addresses": ["a b@c.d"]}, "to_addresses: expected an address"),
        ({"to_addresses": ["a@b.c\nBcc: d@e.f"]}, "is more than one line"),
        ({"to_addresses": "A\r\nX <a@b.c>"}, "is more than one line"),
        ({"to_addresses": [1]}, "to_addresses is an address, or a list"),
        ({"cc_addresses": ["@b.c"]}, "cc_addresses: expected an address"),
        ({"subject_template": "{statu}"}, "did you mean 'status'"),
    ],
)
def test_option_that_makes_no_sense(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        mail(Inbox(), **{"smtp_port": 25, **options})


def test_wrong_files_and_variables_are_told_before_they_are_used() -> None:
    Path("empty.pem").touch()
    for option in ({"ca_file": "missing.pem"}, {"ca_file": "empty.pem"}):
        action = mail(Inbox(), smtp_port=25, use_tls=True, **option)
        (said,) = action.validate_config()
        assert said.startswith("ca_file: expected certificates in ")
    action = mail(Inbox(), smtp_port=25, smtp_user="a", smtp_password="${NO_SUCH_PW}")
    assert action.validate_config() == [
        "the environment variable NO_SUCH_PW is not set"
    ]


@pytest.mark.parametrize(
    ("options", "port"),
    [({"use_ssl": True}, 465), ({}, 587), ({"use_tls": False}, 25)],
)
async def test_port_if_none_is_given(options: dict[str, Any], port: int) -> None:
    action = EmailNotification(from_address=FROM, to_addresses=TO, **options)
    assert (await action._server()).port == port


async def test_success_is_not_told() -> None:
    async with receiving() as inbox:
        told = await mail(inbox).execute_async(GOOD)

    assert told.status == "skipped"
    assert inbox.connections == 0
