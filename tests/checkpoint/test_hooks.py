"""HTTP in: a real server, real requests, signatures made by another library."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

import services
import truthound.async_core.http  # noqa: F401 - imports block a running loop
import truthound.checkpoint.actions._sending  # noqa: F401 - the same
from probes import ROWS
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.actions import CustomAction
from truthound.checkpoint.hooks import hooks_app, hooks_mount
from truthound.checkpoint.triggers import HookTrigger
from truthound.cli._listening import address_of, bound, listening
from truthound.errors import ConfigurationError, StoreError
from truthound.store import RunState, Store

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
BODY = '{"table": "rides", "rows": 3}'


def hooked(name: str = "rides", **options: Any) -> Checkpoint:
    if "unsigned" not in options:
        options.setdefault("secret", SECRET)
    actions = options.pop("actions", [])
    trigger = HookTrigger(**options)
    return Checkpoint(name, data_source=ROWS, actions=actions, triggers=[trigger])


def signed(
    body: str | bytes = BODY,
    id_: str = "msg_1",
    *,
    secret: str = SECRET,
    ago: float = 0.0,
) -> dict[str, str]:
    """Return the headers of a message, signed by the library of the standard."""
    text = body if isinstance(body, str) else body.decode()
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(id_, moment, text),
        "content-type": "application/json",
    }


class Hooks:
    """A runner behind a server, and a client."""

    def __init__(self, runner: Any, client: httpx2.AsyncClient, port: int) -> None:
        self.runner, self.client, self.port = runner, client, port
        self.results: list[Any] = []

    async def post(
        self,
        headers: dict[str, str],
        body: str | bytes = BODY,
        name: str = "rides",
        method: str = "POST",
    ) -> httpx2.Response:
        return await self.client.request(
            method, f"/hooks/{name}", headers=headers, content=body
        )

    async def ended(self) -> list[Any]:
        await self.runner.wait_for_completion_async(10)
        return self.results


@contextlib.asynccontextmanager
async def served(
    *checkpoints: Checkpoint,
    store: Any = False,
    starts: bool = True,
    listens: bool = True,
    **options: Any,
) -> AsyncIterator[Hooks]:
    """Serve hooks; without listening the requests come without a server."""
    results: list[Any] = []
    runner = AsyncCheckpointRunner(
        result_callback=results.append,
        result_queue_size=None,
        store=store,
        **options,
    )
    for checkpoint in checkpoints:
        runner.add_checkpoint(checkpoint)
    app, port, url = hooks_app(runner), 0, "http://local"
    server: Any = contextlib.nullcontext()
    transport = httpx2.ASGITransport(app=app) if not listens else None
    if listens:
        (socket,) = sockets = bound("127.0.0.1", 0)
        server, url = listening(app, sockets), address_of(socket)
        port = socket.getsockname()[1]
    if starts:
        await runner.start_async()
    try:
        async with (
            server,
            httpx2.AsyncClient(transport=transport, base_url=url) as client,
        ):
            hooks = Hooks(runner, client, port)
            hooks.results = results
            yield hooks
    finally:
        await runner.stop_async(wait=False)


# ------------------------------------------------------------------ what is accepted


async def test_signed_message_starts_a_run_that_knows_it() -> None:
    async with served(hooked()) as hooks:
        answer = await hooks.post(signed())
        (result,) = await hooks.ended()

    assert answer.status_code == 202
    assert answer.json() == {"run_id": result.run_id}
    assert result.metadata["trigger"] == "hook"
    assert result.metadata["idempotency_key"] == "hook:rides:msg_1"
    hook = result.metadata["hook"]
    assert (hook["name"], hook["id"]) == ("rides", "msg_1")
    assert hook["body"] == json.loads(BODY)
    assert hook["headers"]["content-type"] == "application/json"
    assert "webhook-signature" not in json.dumps(result.to_dict())


async def test_name_of_the_hook_may_differ_and_hold_odd_signs() -> None:
    async with served(hooked("a b/ü"), hooked("other", hook="in")) as hooks:
        answers = [
            await hooks.post(signed(), name="a%20b%2F%C3%BC"),
            await hooks.post(signed(), name="in"),
        ]
        results = await hooks.ended()

    assert [a.status_code for a in answers] == [202, 202]
    assert sorted(r.checkpoint_name for r in results) == ["a b/ü", "other"]


@pytest.mark.parametrize(
    ("kind", "body", "held"),
    [
        ("application/json", "[1, null]", [1, None]),
        ("application/cloudevents+json; charset=utf-8", '{"a": 1}', {"a": 1}),
        ("text/plain", "[1]", "[1]"),
        ("application/x-www-form-urlencoded", "a=1&b=2", "a=1&b=2"),
        ("", '{"a": 1}', {"a": 1}),
        ("", "no json", "no json"),
        ("", "", ""),
        ("application/json", '"\\u0000\\ud800 \\ud83d\\ude00"', "\0\ud800 😀"),
    ],
)
async def test_body_is_json_or_text(
    kind: str, body: str, held: Any, tmp_path: Path
) -> None:
    headers = {"content-type": kind} if kind else {}
    async with served(
        hooked(unsigned=True), store=tmp_path / "s.db", listens=False
    ) as hooks:
        answer = await hooks.post(headers, body)
        (result,) = await hooks.ended()

    assert answer.status_code == 202, answer.text
    assert result.metadata["hook"]["body"] == held


@pytest.mark.parametrize("secret", [SECRET, OTHER], ids=["old", "new"])
async def test_each_of_several_secrets_will_do(secret: str) -> None:
    async with served(hooked(secret=[SECRET, OTHER]), listens=False) as hooks:
        answer = await hooks.post(signed(secret=secret))

    assert answer.status_code == 202


async def test_each_of_several_signatures_will_do() -> None:
    headers = signed()
    headers["webhook-signature"] = f"v1a,xyz v1,AAAA {headers['webhook-signature']} ,"
    async with served(hooked(), listens=False) as hooks:
        answer = await hooks.post(headers)

    assert answer.status_code == 202


async def test_secret_comes_from_the_environment(monkeypatch: Any) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    async with served(hooked(secret="${HOOK_SECRET}"), listens=False) as hooks:
        there = await hooks.post(signed())
        monkeypatch.delenv("HOOK_SECRET")
        gone = await hooks.post(signed(id_="msg_2"))

    assert there.status_code == 202
    assert (gone.status_code, gone.json()) == (500, {"error": "it is not configured"})


async def test_github_signature_and_bearer_token() -> None:
    digest = hmac.new(b"s3cr3t", BODY.encode(), hashlib.sha256).hexdigest()
    github = {"x-hub-signature-256": f"sha256={digest}", "x-github-delivery": "d-1"}
    bearer = {"authorization": "Bearer s3cr3t"}
    async with served(
        hooked("git", secret="s3cr3t", scheme="github"),
        hooked("token", secret="s3cr3t", scheme="bearer"),
        listens=False,
    ) as hooks:
        answers = [
            (await hooks.post(github, name="git")).status_code,
            (await hooks.post(github, BODY + " ", name="git")).status_code,
            (await hooks.post({}, name="git")).status_code,
            (await hooks.post(bearer, name="token")).status_code,
            (await hooks.post({"authorization": "Bearer x"}, name="token")).status_code,
            (await hooks.post({"authorization": "s3cr3t"}, name="token")).status_code,
        ]
        results = await hooks.ended()

    assert answers == [202, 401, 401, 202, 401, 401]
    keys = {r.checkpoint_name: r.metadata.get("idempotency_key") for r in results}
    assert keys == {"git": "hook:git:d-1", "token": None}


async def test_application_is_mounted_in_another() -> None:
    from starlette.applications import Starlette

    runner = AsyncCheckpointRunner(store=False)
    runner.add_checkpoint(hooked())
    app = Starlette(routes=[hooks_mount(runner, "/in/here")])
    async with runner:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://x") as http:
            answer = await http.post("/in/here/rides", headers=signed(), content=BODY)

    assert answer.status_code == 202


async def test_server_may_have_a_loop_of_its_own() -> None:
    async def post(app: Any) -> list[httpx2.Response]:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://x") as http:
            return [
                await http.post("/hooks/rides", headers=signed(id_=id_), content=BODY)
                for id_ in ("m1", "m1", "m2")
            ]

    async with served(hooked(max_runs=1), listens=False) as hooks:
        app = hooks_app(hooks.runner)
        answers = await asyncio.to_thread(lambda: asyncio.run(post(app)))
        (result,) = await hooks.ended()

    assert [a.status_code for a in answers] == [202, 202, 410]
    assert answers[0].json() == answers[1].json() == {"run_id": result.run_id}


# ------------------------------------------------------------------- what is refused


def without(name: str) -> Callable[[dict[str, str]], None]:
    return lambda headers: headers.pop(name) and None


def changed(name: str, value: str) -> Callable[[dict[str, str]], None]:
    return lambda headers: headers.update({name: value})


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (without("webhook-signature"), 401),
        (changed("webhook-signature", "v1,AAAA"), 401),
        (changed("webhook-signature", "v1,\xff"), 401),
        (changed("webhook-signature", ""), 401),
        (changed("webhook-id", "msg_2"), 401),
        (changed("webhook-timestamp", "1700000000"), 401),
        (without("webhook-id"), 400),
        (without("webhook-timestamp"), 400),
        (changed("webhook-timestamp", "now"), 400),
        (changed("webhook-timestamp", "9" * 40), 400),
        (changed("webhook-id", "x" * 300), 400),
        (changed("webhook-id", "a b"), 400),
    ],
)
async def test_tampered_headers_are_refused(change: Any, status: int) -> None:
    headers = signed()
    change(headers)
    sent = {k: v.encode("latin-1") for k, v in headers.items()}
    async with served(hooked(), listens=False) as hooks:
        answer = await hooks.post(sent)  # type: ignore[arg-type]
        results = await hooks.ended()

    assert answer.status_code == status
    assert not results
    if status == 401:
        assert answer.json() == {"error": "unauthorized"}


async def test_tampered_body_and_foreign_secret_are_refused() -> None:
    async with served(hooked()) as hooks:
        answers = [
            await hooks.post(signed(), BODY.replace("3", "4")),
            await hooks.post(signed(secret=OTHER)),
        ]

    assert [a.status_code for a in answers] == [401, 401]


async def test_end_of_an_id_is_not_taken_for_the_time() -> None:
    # Signed is "id.time.body": with another boundary it would be the same text.
    now = int(datetime.now(UTC).timestamp())
    body = f"{now}.5"
    headers = signed(body)
    shifted = {**headers, "webhook-id": f"msg_1.{headers['webhook-timestamp']}"}
    shifted["webhook-timestamp"] = str(now)
    async with served(hooked(), listens=False) as hooks:
        first = await hooks.post(headers, body)
        second = await hooks.post(shifted, "5")

    assert (first.status_code, second.status_code) == (202, 400)


@pytest.mark.parametrize(
    ("ago", "status"),
    [(290, 202), (310, 401), (-290, 202), (-310, 401)],
)
async def test_clocks_may_differ_by_the_tolerance(ago: float, status: int) -> None:
    async with served(hooked(), listens=False) as hooks:
        answer = await hooks.post(signed(ago=ago))

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("{", "application/json", 400),
        ('{"a": NaN}', "application/json", 400),
        ('{"a": -1e999}', "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"\xff", "text/plain", 400),
        (b"\x89PNG", "image/png", 415),
    ],
)
async def test_body_that_is_no_json_or_text(body: Any, kind: str, status: int) -> None:
    async with served(hooked(unsigned=True), listens=False) as hooks:
        answer = await hooks.post({"content-type": kind}, body)
        results = await hooks.ended()

    assert (answer.status_code, results) == (status, [])
    assert answer.json()["error"]


async def test_unknown_hook_other_method_and_compressed_body() -> None:
    async with served(hooked()) as hooks:
        answers = [
            await hooks.post(signed(), name="nope"),
            await hooks.post(signed(), name=""),
            await hooks.post({}, method="GET"),
            await hooks.post({}, method="DELETE"),
            await hooks.post({**signed(), "content-encoding": "gzip"}),
            await hooks.client.post("/"),
        ]

    assert [a.status_code for a in answers] == [404, 404, 405, 405, 415, 404]
    assert all(a.json()["error"] for a in answers)
    assert answers[2].headers["allow"] == "POST"


async def test_hook_that_is_disabled_is_not_there() -> None:
    async with served(hooked(enabled=False), listens=False) as hooks:
        answer = await hooks.post(signed())

    assert answer.status_code == 404


async def test_fault_of_ours_is_an_answer_that_says_nothing(
    monkeypatch: Any, caplog: Any
) -> None:
    async def broken(self: Any, context: Any, id_: Any) -> str:
        raise ZeroDivisionError("s3cr3t")

    monkeypatch.setattr(HookTrigger, "call", broken)
    async with served(hooked()) as hooks:
        answer = await hooks.post(signed())

    assert (answer.status_code, answer.json()) == (500, {"error": "it failed here"})
    assert "ZeroDivisionError" in caplog.text


async def test_header_that_comes_twice_is_one() -> None:
    async with served(hooked(headers=["x-from"]), listens=False) as hooks:
        headers = [*signed().items(), ("X-From", "a"), ("X-From", "b")]
        await hooks.post(headers)  # type: ignore[arg-type]
        (result,) = await hooks.ended()

    assert result.metadata["hook"]["headers"] == {"x-from": "a, b"}


async def test_body_over_the_limit_is_refused_while_it_comes() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    async with served(hooked(unsigned=True, max_body_bytes=100)) as hooks:
        fits = await hooks.post({}, "x" * 100)
        said = await hooks.post({}, "x" * 101)
        reader, writer = await asyncio.open_connection("127.0.0.1", hooks.port)
        writer.write(
            b"POST /hooks/rides HTTP/1.1\r\nHost: x\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
            + b"65\r\n"
            + b"x" * 101
            + b"\r\n"  # and no end
        )
        chunked = await reader.readuntil(b"\r\n\r\n")
        await reader.read()
        rest = await reader.read()
        writer.close()

    assert (fits.status_code, said.status_code) == (202, 413)
    assert chunked.startswith(b"HTTP/1.1 413")
    assert rest == b""  # it is closed


async def test_nothing_of_secrets_is_logged(caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    async with served(hooked(), hooked("b", secret="t0ken", scheme="bearer")) as hooks:
        await hooks.post(signed())
        await hooks.post(signed(secret=OTHER))
        await hooks.post({"authorization": "Bearer t0ken"}, name="b")
        await hooks.post({"authorization": "Bearer wrong-t0ken"}, name="b")
    records = [r.getMessage() for r in caplog.records if "truthound" in r.name]
    records += [r.getMessage() for r in caplog.records if "uvicorn" in r.name]

    assert not any(part in r for r in records for part in (SECRET[6:], "t0ken", "v1,"))
    assert "hook 'rides': 401, webhook-signature is missing or wrong" in records
    assert "hook 'b': 401, the token is missing or wrong" in records


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "secret: it is missing; unsigned: true takes requests from anybody"),
        ({"secret": SECRET, "unsigned": True}, "give either a secret or unsigned"),
        ({"secret": SECRET, "scheme": "githup"}, "did you mean 'github'"),
        ({"secret": [SECRET, ""]}, "one of the secrets is empty"),
        ({"secret": 3}, "expected a text, got int"),
        ({"unsigned": True, "tolerance_seconds": 0}, "more than 0"),
        ({"unsigned": True, "max_body_bytes": 0}, "max_body_bytes"),
        ({"unsigned": True, "headers": ["Authorization"]}, "is not shown to runs"),
        ({"unsigned": True, "headers": "x"}, "headers is a list"),
        ({"unsigned": True, "hook": ""}, "hook is a name"),
    ],
)
def test_wrong_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        HookTrigger(**options)


@pytest.mark.parametrize("secret", ["not base64!", "${NOT_SET_ANYWHERE}", "whsec_"])
def test_validate_tells_of_a_secret_that_is_none(secret: str) -> None:
    (problem,) = hooked(secret=secret).validate()

    assert problem.startswith("rides: hook: ")
    assert "not base64" not in problem


def test_validate_tells_of_a_secret_that_is_short() -> None:
    (problem,) = hooked(secret=[SECRET, "c2hvcnQ="]).validate()

    assert problem.startswith("rides: hook: secret: it holds 5 bytes")
    assert hooked(secret="short", scheme="github").validate() == []
    assert hooked(unsigned=True).validate() == []


def test_secret_is_not_shown() -> None:
    assert SECRET not in repr(HookTrigger(secret=[SECRET]).config)
    assert SECRET not in json.dumps(hooked().to_dict())


def test_two_hooks_of_one_name_are_refused() -> None:
    runner = AsyncCheckpointRunner(store=False)
    runner.add_checkpoint(hooked()).add_checkpoint(hooked("b", hook="rides"))

    with pytest.raises(ConfigurationError, match="'rides' and 'b' have hooks of one"):
        hooks_app(runner)


# ----------------------------------------------------------------- repeats, and places


@pytest.mark.parametrize("keeps", [False, True], ids=["memory", "store"])
async def test_message_that_comes_again_starts_no_second_run(
    keeps: bool, tmp_path: Path
) -> None:
    store = tmp_path / "s.db" if keeps else False
    async with served(hooked(), store=store) as hooks:
        answers = await asyncio.gather(*[hooks.post(signed()) for _ in range(20)])
        again = await hooks.post(signed(ago=60))  # tried again, with another time
        other = await hooks.post(signed(id_="msg_2"))
        results = await hooks.ended()

    ids = {a.json()["run_id"] for a in [*answers, again]}
    assert {a.status_code for a in [*answers, again, other]} == {202}
    assert len(ids) == 1
    assert {r.run_id for r in results} == ids | {other.json()["run_id"]}
    assert len(results) == 2


async def test_message_that_comes_to_another_process_starts_no_second_run(
    tmp_path: Path,
) -> None:
    async with served(hooked(), store=tmp_path / "s.db") as hooks:
        first = await hooks.post(signed())
        await hooks.ended()
    async with served(hooked(), store=tmp_path / "s.db") as hooks:
        second = await hooks.post(signed())
        results = await hooks.ended()

    assert first.json() == second.json()
    assert results == []


def waiting_behind_one() -> Checkpoint:
    gate = CustomAction(callback=Gate())
    trigger = HookTrigger(secret=SECRET)
    options = {"max_concurrent_runs": 1, "actions": [gate], "triggers": [trigger]}
    return Checkpoint("rides", data_source=ROWS, **options)


async def test_message_that_a_stop_has_dropped_may_be_sent_again(
    tmp_path: Path,
) -> None:
    async with served(waiting_behind_one(), store=tmp_path / "s.db") as hooks:
        first = [await hooks.post(signed(id_=f"m{n}")) for n in range(2)]
        await hooks.runner.stop_async(wait=False)
        dropped = {r.run_id for r in hooks.results}
        await hooks.runner.start_async()
        same = await hooks.post(signed(id_="m1"))
        await hooks.runner.stop_async(wait=False)
    async with served(hooked(), store=tmp_path / "s.db") as hooks:
        again = [await hooks.post(signed(id_=f"m{n}")) for n in range(2)]
        results = await hooks.ended()

    assert {a.status_code for a in [*first, same, *again]} == {202}
    assert {a.json()["run_id"] for a in first} == dropped
    assert same.json()["run_id"] not in dropped
    assert {a.json()["run_id"] for a in again} == {r.run_id for r in results}
    assert not {r.run_id for r in results} & dropped


async def test_message_that_waits_is_left_to_a_start_that_runs_it(
    tmp_path: Path,
) -> None:
    options: Any = {"store": tmp_path / "s.db", "recovery": "rerun"}
    async with served(waiting_behind_one(), **options) as hooks:
        answers = [await hooks.post(signed(id_=f"m{n}")) for n in range(2)]
        await hooks.runner.stop_async(wait=False)
        cut_off = [r.run_id for r in hooks.results]
        stats = hooks.runner.get_stats()
    async with served(hooked(), **options) as hooks:
        again = await hooks.post(signed(id_="m1"))
        (result,) = await hooks.ended()

    assert cut_off == [answers[0].json()["run_id"]]
    assert stats["accepted_runs"] == stats["delivered_results"] == 1
    assert result.status != "error"
    assert {result.run_id} == {answers[1].json()["run_id"], again.json()["run_id"]}


async def test_message_that_was_here_before_needs_no_place(tmp_path: Path) -> None:
    async with served(hooked(), store=tmp_path / "s.db") as hooks:
        first = await hooks.post(signed())
        await hooks.ended()
    async with served(hooked(max_runs=1), store=tmp_path / "s.db") as hooks:
        repeat = await hooks.post(signed())
        hooks.runner.pause("rides")
        paused = await hooks.post(signed())
        hooks.runner.resume("rides")
        new = await hooks.post(signed(id_="msg_2"))
        late = await hooks.post(signed())
        done = await hooks.post(signed(id_="msg_3"))

    assert [a.json() for a in (repeat, paused, late)] == [first.json()] * 3
    assert (new.status_code, done.status_code) == (202, 410)


async def test_message_to_two_processes_at_once_starts_one_run() -> None:
    with services.postgres_schema() as url:
        async with (
            served(hooked(), store=url, listens=False) as one,
            served(hooked(), store=url, listens=False) as other,
        ):
            answers = await asyncio.gather(
                *[hooks.post(signed()) for hooks in (one, other) * 5]
            )
            results = [*await one.ended(), *await other.ended()]

    assert {a.status_code for a in answers} == {202}
    (result,) = results
    assert {a.json()["run_id"] for a in answers} == {result.run_id}


async def test_two_hundred_at_once_are_all_written_down(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    async with store, served(hooked(max_concurrent=500), store=store) as hooks:
        answers = await asyncio.gather(
            *[hooks.post(signed(id_=f"m{n}"), BODY) for n in range(200)]
        )
        known = {r.run_id for r in await asyncio.to_thread(store.runs, limit=None)}
        results = await hooks.ended()

    assert {a.status_code for a in answers} == {202}
    assert {a.json()["run_id"] for a in answers} == known
    assert len({r.run_id for r in results}) == len(results) == 200


class Gate:
    """An action that waits until it is let go."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, result: Any) -> None:
        await self.opened.wait()


async def test_full_checkpoint_answers_429() -> None:
    gate = Gate()
    checkpoint = hooked(max_concurrent=2, actions=[CustomAction(callback=gate)])
    async with served(checkpoint) as hooks:
        answers = [await hooks.post(signed(id_=f"m{n}")) for n in range(3)]
        repeat = await hooks.post(signed(id_="m0"))
        gate.opened.set()
        await hooks.ended()
        after = await hooks.post(signed(id_="m2"))

    assert [a.status_code for a in answers] == [202, 202, 429]
    assert answers[2].headers["retry-after"] == "5"
    assert repeat.json() == answers[0].json()
    assert after.status_code == 202


async def test_paused_stopped_and_done_hooks_say_so() -> None:
    async with served(hooked(max_runs=2), starts=False) as hooks:
        said = [await hooks.post(signed(id_="0"))]
        await hooks.runner.start_async()
        said.append(await hooks.post(signed(id_="1")))
        hooks.runner.pause("rides")
        said.append(await hooks.post(signed(id_="2")))
        hooks.runner.resume("rides")
        said.append(await hooks.post(signed(id_="2")))
        said.append(await hooks.post(signed(id_="3")))
        await hooks.runner.stop_async()
        said.append(await hooks.post(signed(id_="4")))
        hooks.runner.remove_checkpoint("rides")
        said.append(await hooks.post(signed(id_="5")))

    assert [a.status_code for a in said] == [503, 202, 503, 202, 410, 503, 404]
    assert [a.headers.get("retry-after") for a in said[:3]] == ["10", None, "10"]


async def test_checkpoint_that_is_added_later_is_found() -> None:
    async with served(hooked()) as hooks:
        hooks.runner.add_checkpoint(hooked("late"))
        await asyncio.sleep(0)
        await hooks.runner.wait_for_completion_async(1)
        for _ in range(100):
            answer = await hooks.post(signed(), name="late")
            if answer.status_code != 503:
                break

    assert answer.status_code == 202


async def test_it_is_not_accepted_before_the_store_has_it(
    tmp_path: Path, monkeypatch: Any
) -> None:
    store = Store(tmp_path / "s.db")
    accept = store.accept

    def broken(records: Any) -> Any:
        async def fail() -> None:
            accept(records)
            raise StoreError("the disk is full")

        return fail()

    async with served(hooked(), store=store) as hooks:
        monkeypatch.setattr(store, "accept", broken)
        found, store.run_with_slot = store.run_with_slot, lambda slot: None  # type: ignore[method-assign,assignment]
        refused = await hooks.post(signed())
        store.run_with_slot = found  # type: ignore[method-assign]
        again = await hooks.post(signed())
        results = await hooks.ended()

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    assert again.status_code == 202
    assert [r.run_id for r in results] == [again.json()["run_id"]]


async def test_requests_while_it_stops_are_answered(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    async with store:
        async with served(hooked(max_concurrent=500), store=store) as hooks:
            posts = [
                asyncio.create_task(hooks.post(signed(id_=f"m{n}"))) for n in range(60)
            ]
            await asyncio.wait(posts, return_when="FIRST_COMPLETED")
            await hooks.runner.stop_async()
            answers = [await post for post in posts]
        kept = await asyncio.to_thread(store.runs, limit=None)
        runs = {r.run_id: r.state for r in kept}

    taken = [a.json()["run_id"] for a in answers if a.status_code == 202]
    assert {a.status_code for a in answers} <= {202, 503}
    assert taken
    assert all(
        runs[run_id] in (RunState.FINISHED, RunState.INTERRUPTED) for run_id in taken
    )


# ----------------------------------------------------------------- slow and odd clients


async def test_slow_clients_are_let_go(monkeypatch: Any) -> None:
    from truthound.checkpoint import hooks as home
    from truthound.cli import _listening

    monkeypatch.setattr(_listening, "HEADER_SECONDS", 0.2)
    monkeypatch.setattr(home, "BODY_SECONDS", 0.2)

    async def said(*parts: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", hooks.port)
        for part in parts:
            writer.write(part)
            await writer.drain()
        found = await reader.read()
        writer.close()
        return found

    head = b"POST /hooks/rides HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    async with served(hooked(unsigned=True)) as hooks:
        async with asyncio.timeout(10):
            nothing = await said()
            half_a_head = await said(head)
            half_a_body = await said(head + b"\r\nab")
        alive = await hooks.post({}, "x")

    assert nothing == half_a_head == b""
    assert half_a_body.startswith(b"HTTP/1.1 408")
    assert alive.status_code == 202


async def test_client_that_goes_away_leaves_no_run() -> None:
    async with served(hooked(unsigned=True)) as hooks:
        _, writer = await asyncio.open_connection("127.0.0.1", hooks.port)
        writer.write(
            b"POST /hooks/rides HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        alive = await hooks.post({}, "x")
        results = await hooks.ended()

    assert alive.status_code == 202
    assert len(results) == 1
