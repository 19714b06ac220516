"""The other 150: what Apprise is told, and what nobody is told about its addresses."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from probes import ROWS, WHOLE, checkpoint
from scripted_server import Received, Server, free_port, reply, serving
from truthound.checkpoint import CheckpointResult, CheckpointStatus
from truthound.checkpoint._trial import try_action
from truthound.checkpoint.actions import AppriseAction
from truthound.checkpoint.actions import apprise as home
from truthound.errors import ConfigurationError

BAD: CheckpointResult = checkpoint("rides", ROWS).run()
CANARY = "c4n4ry-t0ken"


def address(server: Server, path: str = CANARY) -> str:
    """Return the address of a server, for the plug-in that sends JSON."""
    return server.url.replace("http://", "json://") + f"/{path}"


def action(*urls: str, **options: Any) -> AppriseAction:
    options.setdefault("retry_delay_seconds", 0)
    return AppriseAction(urls=list(urls), **options)


async def test_message_is_written_to_all() -> None:
    async with (
        serving(lambda request: reply(200)) as one,
        serving(lambda request: reply(200)) as two,
    ):
        told = await action(address(one), address(two)).execute_async(BAD)

    assert told.success, told.error
    assert told.details == {"sent": 2}
    for server in (one, two):
        (request,) = server.requests
        sent = json.loads(request.body)
        assert (sent["title"], sent["type"]) == ("rides: warning", "warning")
        assert "null(fare)" in sent["message"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [("success", "success"), ("failure", "failure"), ("error", "failure")],
)
async def test_kind_of_the_message(status: str, kind: str) -> None:
    run = replace(BAD, status=CheckpointStatus(status))
    async with serving(lambda request: reply(200)) as server:
        await action(address(server), notify_on="always").execute_async(run)

    assert json.loads(server.requests[0].body)["type"] == kind


async def test_test_message_is_labelled_and_shown() -> None:
    async with serving(lambda request: reply(200)) as server:
        told, (shown,) = await try_action(action(address(server)), "rides")

    assert told.success, told.error
    sent = json.loads(server.requests[0].body)
    assert sent["title"] == shown.headers["title"]
    assert sent["title"].startswith("TEST, ")
    assert sent["type"] == shown.headers["type"] == "info"
    assert (shown.way, shown.address) == ("Apprise", "urls[0] (json)")
    assert CANARY not in str(shown)


async def test_which_failed_is_told_and_only_that_is_tried_again() -> None:
    answers = [reply(503), reply(200)]
    async with (
        serving(lambda request: reply(200)) as sound,
        serving(lambda request: answers.pop(0)) as busy,
    ):
        one = action(address(sound), address(busy))
        failed = await one.execute_async(BAD)
        again = await one.execute_async(BAD)
        other = replace(BAD, run_id="rides_20260302_120000_00000001")
        answers.append(reply(200))
        await one.execute_async(other)

    assert failed.status == "error"
    assert "1 of 2 not sent: urls[1] (json): " in str(failed.error)
    assert "503" in str(failed.error)
    assert again.success
    assert len(sound.requests) == 2  # once for each run
    assert len(busy.requests) == 3


async def test_nobody_there_is_told() -> None:
    told = await action(f"json://127.0.0.1:{free_port()}/{CANARY}").execute_async(BAD)

    assert told.status == "error"
    assert str(told.error).startswith("1 of 1 not sent: urls[0] (json)")


async def test_time_limit_holds() -> None:
    async def hang(request: Received) -> AsyncGenerator[bytes, None]:
        await asyncio.Event().wait()
        yield b""

    async with serving(hang) as server:
        told = await action(address(server), timeout_seconds=0.2).execute_async(BAD)

    assert told.error == "Action timed out after 0.2 s"


async def test_addresses_are_seen_nowhere(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(1)
    for name in ("apprise", "urllib3", "urllib3.connectionpool", "requests"):
        caplog.set_level(1, name)

    def echo(request: Received) -> bytes:
        return reply(403, request.target.encode() + request.body)

    async with serving(echo) as server:
        user = server.url.replace("http://", f"json://ann:{CANARY}%2Fpw@")
        urls = (
            address(server),
            f"{user}/hook/{CANARY}?+X-Token={CANARY}",
            f"nosuch://{CANARY}/x",
        )
        one = action(*urls)
        told = await one.execute_async(BAD)
        problems = await asyncio.to_thread(one.validate_config)
    shown = [
        *(caplog.text, str(told.to_dict()), repr(one), repr(one.config)),
        *(str(checkpoint(actions=[one]).to_dict()), *capsys.readouterr(), *problems),
    ]

    assert "3 of 3 not sent: " in str(told.error)
    assert "403" in str(told.error)
    assert problems == ["urls[2] (nosuch): no address that Apprise understands"]
    assert "c4n4ry" not in "".join(shown)
    assert "%2Fpw" not in "".join(shown)


async def test_other_users_of_the_library_keep_their_logs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(lambda request: reply(200)) as server:
        await action(address(server)).execute_async(BAD)
    logging.getLogger("apprise").warning("theirs")

    assert "theirs" in caplog.text


async def test_address_that_is_none_is_final() -> None:
    told = await action("nosuch://x", retry_count=3).execute_async(BAD)

    assert told.status == "error"
    assert "attempts" not in told.details


async def test_missing_library_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.setattr(home, "_loaded", {})
    one = action("json://127.0.0.1", "json://127.0.0.2", retry_count=3)
    told = await one.execute_async(BAD)

    assert "pip install 'truthound-async[apprise]'" in str(told.error)
    assert "attempts" not in told.details
    (problem,) = one.validate_config()
    assert "pip install 'truthound-async[apprise]'" in problem


async def test_success_is_not_told() -> None:
    told = await action("json://127.0.0.1").execute_async(checkpoint(data=WHOLE).run())
    assert told.status == "skipped"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "the option urls is missing"),
        ({"urls": []}, "the option urls is missing"),
        ({"urls": [""]}, r"the option urls\[0\] is missing"),
        ({"urls": [1]}, r"urls\[0\]: expected a text"),
        ({"urls": 1}, "urls is a list"),
    ],
)
def test_option_that_makes_no_sense(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        AppriseAction(**options)


def test_one_address_need_be_no_list() -> None:
    assert AppriseAction(urls="json://x").validate_config() == []


def test_variable_that_is_not_set_is_told() -> None:
    (said,) = AppriseAction(urls="${NO_SUCH_URL}").validate_config()
    assert said == "the environment variable NO_SUCH_URL is not set"


def test_library_is_imported_only_when_used() -> None:
    import subprocess

    code = (
        "import sys\n"
        "from truthound.checkpoint.actions import AppriseAction\n"
        "AppriseAction(urls='json://x')\n"
        "sys.exit('apprise' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
