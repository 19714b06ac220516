"""`ResourcePool`: what is made is lent to one at a time, and cleaned up once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthound.async_core import ResourcePool
from truthound.errors import ConfigurationError, NotRunningError

PATIENCE = 10  # seconds, until something counts as hanging


class Maker:
    """Makes numbers, and notes which were cleaned up."""

    def __init__(self, turns: int = 0) -> None:
        self.made: list[int] = []
        self.cleaned: list[int] = []
        self.turns = turns
        self.making = self.peak = 0
        self.broken: set[int] = set()

    async def make(self) -> int:
        self.making += 1
        self.peak = max(self.peak, self.making)
        try:
            await turns(self.turns)
        finally:
            self.making -= 1
        self.made.append(len(self.made))
        return self.made[-1]

    async def clean(self, number: int) -> None:
        await turns(self.turns)
        self.cleaned.append(number)

    def pool(self, size: int = 2, **options: Any) -> ResourcePool[int]:
        return ResourcePool(size, self.make, self.clean, **options)


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def hold(pool: ResourcePool[int], gate: asyncio.Event) -> int:
    async with pool.acquire() as resource:
        await gate.wait()
        return resource


async def test_resource_is_used_again() -> None:
    maker = Maker()
    async with maker.pool() as pool:
        for _ in range(3):
            async with pool.acquire() as resource:
                assert resource == 0
    assert maker.made == maker.cleaned == [0]


async def test_no_more_than_the_limit_are_lent_and_the_first_to_wait_is_next() -> None:
    maker, gate = Maker(turns=2), asyncio.Event()
    async with maker.pool(3) as pool, asyncio.timeout(PATIENCE):
        tasks = [asyncio.create_task(hold(pool, gate)) for _ in range(8)]
        await turns(9)
        now = pool.stats()
        assert (now.in_use, now.waiting, now.idle, now.made) == (3, 5, 0, 3)
        assert maker.peak == 3  # made beside each other
        gate.set()
        assert len(await asyncio.gather(*tasks)) == 8
        assert pool.stats().idle == 3
    assert sorted(maker.cleaned) == [0, 1, 2]


@pytest.mark.parametrize("is_async", [True, False])
async def test_factory_and_cleanup_may_be_of_either_kind(is_async: bool) -> None:
    maker = Maker()
    if is_async:
        pool = maker.pool()
    else:
        pool = ResourcePool(2, lambda: 7, maker.cleaned.append)
    async with pool, pool.acquire() as resource:
        pass
    assert maker.cleaned == [resource]


async def test_what_is_lent_at_the_end_is_cleaned_up_when_it_comes_back() -> None:
    maker = Maker()
    pool = maker.pool()
    async with pool.acquire() as first:
        async with pool.acquire() as second:
            pass
        await pool.close()
        assert maker.cleaned == [second]
    assert maker.cleaned == [second, first]
    assert pool.stats().cleaned_up == pool.stats().made == 2
    await pool.close()
    with pytest.raises(NotRunningError, match="the pool is closed"):
        async with pool.acquire():
            pass


async def test_who_waits_when_the_pool_closes_is_told() -> None:
    maker, gate = Maker(turns=3), asyncio.Event()
    pool = maker.pool(1)
    holder = asyncio.create_task(hold(pool, gate))
    await turns(9)
    waiting = [asyncio.create_task(hold(pool, gate)) for _ in range(2)]
    making = Maker(turns=9)
    slow = making.pool()
    caught = asyncio.create_task(hold(slow, gate))
    await turns()
    await pool.close()
    await slow.close()
    gate.set()

    for task in (*waiting, caught):
        with pytest.raises(NotRunningError, match="closed meanwhile"):
            await task
    assert await holder == 0
    assert maker.cleaned == maker.made == [0]
    assert making.cleaned == making.made == [0]


async def test_failed_factory_takes_no_room() -> None:
    answers = iter([ValueError("down"), 5])

    def make() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with ResourcePool(1, make) as pool, asyncio.timeout(PATIENCE):
        with pytest.raises(ValueError, match="down"):
            async with pool.acquire():
                pass
        async with pool.acquire() as resource:
            assert resource == 5


async def test_error_of_the_block_gives_the_resource_back() -> None:
    maker = Maker()
    async with maker.pool(1) as pool, asyncio.timeout(PATIENCE):
        with pytest.raises(ValueError, match="odd"):
            async with pool.acquire():
                raise ValueError("odd")
        async with pool.acquire() as resource:
            assert resource == 0


@pytest.mark.parametrize("is_async", [True, False])
async def test_unusable_resource_is_replaced(is_async: bool) -> None:
    maker = Maker()

    def check(number: int) -> bool:
        if number == 1:
            raise OSError("gone")
        return number > 1

    async def check_later(number: int) -> bool:
        await turns(1)
        return check(number)

    pool = maker.pool(1, check=check_later if is_async else check)
    async with pool:
        for expected in (0, 1, 2, 2):
            async with pool.acquire() as resource:
                assert resource == expected
    assert maker.cleaned == [0, 1, 2]


@pytest.mark.virtual_clock
async def test_acquire_gives_up_in_time() -> None:
    gate = asyncio.Event()
    async with Maker().pool(1) as pool:
        holder = asyncio.create_task(hold(pool, gate))
        await turns()
        with pytest.raises(TimeoutError, match="none of 1 resources came free in 3 s"):
            async with pool.acquire(timeout=3):
                pass
        gate.set()
        await holder
        async with pool.acquire(timeout=3):
            pass


async def test_failing_cleanup_keeps_no_other_from_being_cleaned_up() -> None:
    cleaned = []

    def clean(number: int) -> None:
        cleaned.append(number)
        if number != 1:
            raise OSError(f"{number} is stuck")

    made = iter(range(9))
    pool = ResourcePool(3, lambda: next(made), clean)
    gate = asyncio.Event()
    tasks = [asyncio.create_task(hold(pool, gate)) for _ in range(3)]
    await turns()
    gate.set()
    await asyncio.gather(*tasks)

    with pytest.raises(ExceptionGroup, match="could not be cleaned up") as caught:
        await pool.close()
    assert sorted(cleaned) == [0, 1, 2]
    assert len(caught.value.exceptions) == 2


async def test_failing_cleanup_after_the_end_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def clean(_: int) -> None:
        raise OSError("stuck")

    pool = ResourcePool(1, lambda: 1, clean)
    with pytest.raises(ValueError, match="odd"):
        async with pool.acquire():
            await pool.close()
            raise ValueError("odd")
    assert "a resource could not be cleaned up" in caplog.text


async def test_cancelled_close_cleans_up_all_the_same() -> None:
    maker = Maker(turns=5)
    pool = maker.pool()
    async with pool.acquire(), pool.acquire():
        pass
    closing = asyncio.create_task(pool.close())
    await turns(2)
    closing.cancel()
    await turns(1)
    closing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await closing
    assert sorted(maker.cleaned) == [0, 1]


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_size_out_of_range_is_named(number: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_resources="):
        ResourcePool(number, list)


@given(st.data())
def test_any_program_cleans_up_what_it_made_once(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 3), "size")
    slow = data.draw(st.integers(0, 3), "turns of factory and cleanup")
    users = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, 3),  # turns until it asks
                st.integers(0, 4),  # turns that it holds the resource
                st.one_of(st.none(), st.integers(0, 9)),  # turns until it is cancelled
                st.booleans(),  # it fails
            ),
            max_size=10,
        ),
        "users",
    )
    close_after = data.draw(st.integers(0, 20), "close_after")

    async def use(pool: ResourcePool[int], lent: set[int], user: Any) -> None:
        await turns(user[0])
        async with pool.acquire() as resource:
            assert resource not in lent
            lent.add(resource)
            assert len(lent) <= size
            try:
                await turns(user[1])
            finally:
                lent.remove(resource)
            if user[3]:
                raise ValueError("odd")

    async def main() -> None:
        maker, lent = Maker(turns=slow), set[int]()
        pool = maker.pool(size, check=lambda number: number % 2 == 0)
        async with asyncio.timeout(PATIENCE):
            tasks = [asyncio.create_task(use(pool, lent, user)) for user in users]
            for turn in range(close_after):
                for task, user in zip(tasks, users, strict=True):
                    if user[2] == turn:
                        task.cancel()
                await asyncio.sleep(0)
            await pool.close()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                assert not isinstance(outcome, AssertionError), outcome
        assert sorted(maker.cleaned) == maker.made
        now = pool.stats()
        assert (now.in_use, now.idle, now.waiting) == (0, 0, 0)
        assert now.made == now.cleaned_up == len(maker.made)

    asyncio.run(main())
