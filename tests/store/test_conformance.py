"""One suite over all stores: a file, memory, PostgreSQL."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import Any

import pytest

from store_records import GOOD, NOW, notice, owed, rows, run, states
from truthound.errors import StoreError
from truthound.store import NoticeState, Outcome, Part, RunState, Settled, Store
from truthound.store._writer import SOON

LATER = NOW + timedelta(seconds=1)
ODD = "nul\0 half\ud800 \U0001f680 é 漢"


async def looked(call: Any, *args: Any) -> Any:
    return await asyncio.to_thread(call, *args)


async def ended(store: Store, run_id: str = "r", **said: Any) -> bool:
    known = {"attempt": 1, "owner": "me", "outcome": GOOD, "settled": ()}
    values = {**known, **said}
    return await store.end(
        run_id,
        values["attempt"],
        values["owner"],
        RunState.FINISHED,
        LATER,
        values["outcome"],
        values["settled"],
    )


# ---------------------------------------------------------------- states of runs


async def test_a_run_passes_its_states_and_keeps_its_times(store: Store) -> None:
    assert list(await store.accept([run()])) == []
    store.begin("r", 1, "me", NOW)
    assert await ended(store)
    found = await looked(rows, store, "SELECT state, began_at, ended_at FROM runs")
    assert found == [("finished", 1772452800000000, 1772452801000000)]
    assert (await looked(store.document, "r"))["status"] == "success"


@pytest.mark.parametrize(
    "said", [{"owner": "you"}, {"attempt": 2}, {"run_id": "unknown"}]
)
async def test_an_end_that_is_not_ours_changes_nothing(
    store: Store, said: dict[str, Any]
) -> None:
    await store.accept([run()])
    assert not await ended(store, **said)
    assert await looked(states, store) == {"r": "accepted"}
    assert (await looked(store.document, "r"))["status"] == "running"


async def test_a_run_ends_once(store: Store) -> None:
    await store.accept([run()])
    assert await ended(store)
    bad = Outcome(status="error", error="late", document=lambda: {"late": True})
    assert not await store.end("r", 1, "me", RunState.FAILED, NOW, bad)
    assert await looked(states, store) == {"r": "finished"}
    document = await looked(store.document, "r")
    assert document["status"] == "success"
    assert "late" not in document


async def test_a_begin_that_is_not_ours_changes_nothing(store: Store) -> None:
    await store.accept([run()])
    await store.begun("r", 1, "you", NOW)
    assert (await looked(states, store))["r"] == "accepted"
    await store.begun("r", 1, "me", NOW)
    assert (await looked(states, store))["r"] == "running"


async def test_runs_are_accepted_together_or_not_at_all(store: Store) -> None:
    await store.accept([run("old")])
    with pytest.raises(StoreError, match=r"(?i)unique"):
        await store.accept([run("new"), run("old")])
    assert set(await looked(states, store)) == {"old"}
    await store.accept([run("new")])
    assert set(await looked(states, store)) == {"old", "new"}


async def test_a_write_that_fails_takes_no_other_with_it(store: Store) -> None:
    await store.accept([run("old")])
    names = [f"r{n}" if n != 5 else "old" for n in range(10)]
    writes = [store.accept([run(name)]) for name in names]
    await asyncio.sleep(0)  # they are handed over
    for n in range(10):
        store.begin(f"r{n}", 1, "me", NOW)  # soon
    found = await asyncio.gather(*writes, return_exceptions=True)
    assert [n for n, one in enumerate(found) if isinstance(one, Exception)] == [5]
    await asyncio.sleep(2 * SOON)  # by then a begin without an end is written
    await store.accept([run("last")])
    for _ in range(500):
        found = await looked(states, store)
        if list(found.values()).count("running") == 9:
            break
        await asyncio.sleep(0.01)
    assert len(found) == 11
    assert {state for name, state in found.items() if name[1:].isdigit()} == {"running"}


async def test_a_result_is_found_before_its_end_with_what_it_owes(store: Store) -> None:
    await store.accept([run()])
    assert await store.found("r", 1, "me", GOOD, [notice(), notice(position=1)])
    assert await looked(owed, store) == {("r", 0): "sending", ("r", 1): "sending"}
    assert not await store.found("r", 1, "you", GOOD, [])
    assert not await store.found("r", 2, "me", GOOD, [notice(position=2)])
    with pytest.raises(StoreError):  # twice
        await store.found("r", 1, "me", GOOD, [])
    kept = Outcome(status="success", actions=lambda: [{"n": 1}])
    settled = [
        Settled(position=0, state=NoticeState.DELIVERED),
        Settled(position=1, state=NoticeState.OWED, due_at=LATER, error="busy"),
    ]
    assert await ended(store, outcome=kept, settled=settled)
    assert await looked(owed, store) == {("r", 0): "delivered", ("r", 1): "owed"}
    assert await looked(rows, store, "SELECT actions FROM results") == [('[{"n":1}]',)]
    assert not await store.found("r", 1, "me", GOOD, [notice(position=2)])


# ------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        [math.inf, object()],
        {("a", 1): 2},
        {1, 2},
        b"\xff",
        10**40,
        ODD,
        {ODD: ODD},
        NOW,
    ],
    ids=lambda v: type(v).__name__,
)
async def test_odd_values_are_kept_and_can_be_read(store: Store, value: Any) -> None:
    await store.accept([run(context={"v": value})])
    found = {"status": "success", "v": value, "other": object()}
    outcome = Outcome(status="success", metrics={"m": value}, document=lambda: found)
    assert await ended(store, outcome=outcome)
    document = await looked(store.document, "r")
    assert document["status"] == "success"
    assert set(document) >= {"status", "v", "other"}
    await store.accept([run("again", owner="gone", context={"v": value})])
    back = await store.recover("me", again=["rides"])
    assert [set(r.context) for r in back.again] == [{"v"}]


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no")


async def test_what_cannot_be_said_is_no_reason_to_lose_a_run(store: Store) -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    await store.accept([run(context={"mute": Mute(), "deep": deep})])

    def broken() -> Any:
        raise LookupError("gone")

    assert await ended(store, outcome=Outcome(status="success", document=broken))
    document = await looked(store.document, "r")
    assert "LookupError: gone" in document["error"]


async def test_every_text_may_hold_anything(store: Store) -> None:
    made = run(ODD, ODD, checkpoint=ODD, trigger=ODD, slot=ODD)
    assert list(await store.accept([made])) == []
    owes = notice(ODD, checkpoint=ODD, action=ODD, action_type=ODD, owner=ODD)
    outcome = Outcome(status="failure", source=ODD, summary=ODD, error=ODD)
    assert await store.found(ODD, 1, ODD, outcome, [owes])
    store.begin(ODD, 1, ODD, NOW)
    tried = Settled(position=0, state=NoticeState.OWED, due_at=NOW, error=ODD)
    assert await store.end(ODD, 1, ODD, RunState.FINISHED, NOW, outcome, [tried])
    assert list((await looked(states, store)).values()) == ["finished"]
    assert list((await looked(owed, store)).values()) == ["owed"]
    assert [n.run_id for n in await store.claim("me", [ODD])] != []
    await store.set_cursor(ODD, {ODD: 1})
    assert list((await looked(store.cursor, ODD)).values()) == [1]
    parts = [Part(file=f, fingerprint=ODD, state=b"\0") for f in ("plain", ODD)]
    await looked(store.save, ODD, parts)
    assert [p.file for p in await looked(store.load, ODD)] == ["plain"]


async def test_what_is_too_long_fails_alone(store: Store) -> None:
    """PostgreSQL can hold no 100,000 random letters in an index."""
    import random

    long = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123", k=10**5))
    first, second = await asyncio.gather(
        store.accept([run("r", checkpoint=long)]),
        store.accept([run("s")]),
        return_exceptions=True,
    )
    assert first is None or isinstance(first, (StoreError, list))
    assert list(second) == []  # type: ignore[arg-type]
    assert await ended(store, "s")


async def test_a_large_document_is_kept(store: Store) -> None:
    await store.accept([run()])
    text = "é" * 2_500_000
    assert await ended(
        store, outcome=Outcome(status="success", document=lambda: {"t": text})
    )
    assert (await looked(store.document, "r"))["t"] == text


# ------------------------------------------------------------------------- outbox


async def owing(store: Store, *owes: Any) -> None:
    await store.accept([run()])
    await store.found("r", 1, "me", GOOD, owes)


async def test_a_due_notification_is_claimed_once_and_in_order(store: Store) -> None:
    times = [3, 1, 2, 10**8]
    await owing(
        store,
        *(
            notice(
                position=n, state=NoticeState.OWED, due_at=NOW + timedelta(seconds=s)
            )
            for n, s in enumerate(times)
        ),
    )
    assert await store.claim("me", ["other"]) == []
    assert await store.claim("me", ["rides"], only=[]) == []
    first = await store.claim("me", ["rides"], limit=1)
    assert [(n.position, n.attempts, n.owner) for n in first] == [(1, 2, "me")]
    (only,) = await store.claim("me", ["rides"], only=[("r", 0), ("x", 2)])
    assert only.position == 0
    claims = await asyncio.gather(*(store.claim(f"o{n}", ["rides"]) for n in range(9)))
    assert [n.position for some in claims for n in some] == [2]
    assert await store.next_due(["rides"]) == NOW + timedelta(seconds=10**8)
    assert await store.next_due(["other"]) is None


async def test_only_who_sends_settles(store: Store) -> None:
    await owing(store, notice(state=NoticeState.OWED, owner=None))
    done = Settled(position=0, state=NoticeState.DELIVERED)
    assert not await store.settle("r", "me", done)  # nobody sends it
    await store.claim("me", ["rides"])
    assert not await store.settle("r", "you", done)
    assert not await store.settle("x", "me", done)
    assert await looked(owed, store) == {("r", 0): "sending"}
    assert await store.settle("r", "me", done)
    assert await looked(owed, store) == {("r", 0): "delivered"}


async def test_what_was_claimed_without_an_answer_is_owed_again(store: Store) -> None:
    await store.register("me")
    await owing(store, notice(), notice(position=1, state=NoticeState.OWED))
    await store.claim("me", ["rides"])  # the answer of which is lost
    assert (await store.recover("me")).notices == 0  # the run may be trying them
    done = Outcome(status="success")  # its document is there
    assert await store.end("r", 1, "me", RunState.FINISHED, NOW, done)
    assert (await store.recover("me")).notices == 2
    assert set((await looked(owed, store)).values()) == {"owed"}


async def test_notifications_are_put_back_and_dropped(store: Store) -> None:
    states_ = [NoticeState.DEAD, NoticeState.DROPPED, NoticeState.SENDING]
    await owing(
        store,
        *(notice(position=n, state=s, attempts=7) for n, s in enumerate(states_)),
    )
    assert await looked(store.drop_notices, [("r", 2)]) == 0
    assert await looked(store.retry_notices, [("r", 0)]) == 1
    assert (await store.claim("me", ["rides"]))[0].attempts == 1
    assert await looked(store.drop_notices, None, [NoticeState.SENDING]) == 2
    assert await looked(store.retry_notices) == 3
    assert set((await looked(owed, store)).values()) == {"owed"}
    assert await looked(store.retry_notices, []) == 0


# --------------------------------------------------------------- cursors and parts


async def test_a_cursor_is_as_it_was_last_said(store: Store) -> None:
    assert await looked(store.cursor, "c") is None
    await asyncio.gather(*(store.set_cursor("c", {"n": n}) for n in range(20)))
    await store.set_cursor("c", {"n": [1, None]})
    assert await looked(store.cursor, "c") == {"n": [1, None]}


async def test_parts_are_replaced_and_removed(store: Store) -> None:
    def part(file: str, mark: str = "1") -> Part:
        return Part(file=file, fingerprint=mark, state=mark.encode() * 100_000)

    await looked(store.save, "s", [part("a"), part("b")])
    await looked(store.save, "t", [part("a", "9")])
    await looked(store.save, "s", [part("a", "2"), part("c")], ["b", "none"])
    assert await looked(store.load, "s") == [part("a", "2"), part("c")]
    assert await looked(store.load, "t") == [part("a", "9")]
    assert await looked(store.load, "none") == []
