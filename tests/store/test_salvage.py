"""Damaged stores: never a traceback, never an empty history, and always a way out."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from store.histories import fill, filled
from truthound.errors import StoreError
from truthound.store import Store, check, repair

RUNS = 60
PAGE = 4096


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = filled(tmp_path_factory.mktemp("sound") / "store.db", RUNS)
    return path.read_bytes()


def look(path: Path) -> int | str:
    """Return how many runs a store has, or what is said instead."""
    try:
        with Store(path) as store:
            found = len(store.runs(limit=None))
            for name in ("a", "b", "c"):  # nobody is told that there was nothing
                assert not found or store.runs(name)
            return found
    except StoreError as error:
        return str(error)


def expect_a_way_out(path: Path) -> dict[str, int]:
    """Look at a damaged store, repair it, and return what was saved."""
    before = look(path)
    if isinstance(before, str):
        assert str(path) in before or "the store" in before
    else:
        assert before > 0

    done = repair(path)

    assert check(path).is_sound
    after = look(path)
    if done.aside is None:
        assert before == after
    else:
        assert done.aside.exists()
        assert after == done.saved["runs"] or isinstance(after, str)
    return done.saved


def test_sound_store_is_left_alone(tmp_path, sound):
    path = tmp_path / "store.db"
    path.write_bytes(sound)

    assert check(path).is_sound
    assert check(path).counts["runs"] == RUNS
    assert repair(path).aside is None
    assert path.read_bytes() == sound


def test_store_that_is_not_there_is_an_error(tmp_path):
    for work in (check, repair):
        with pytest.raises(StoreError, match="no such file"):
            work(tmp_path / "none.db")
    assert not list(tmp_path.glob("*.db*"))


@pytest.mark.parametrize("seed", range(100))
def test_flipped_byte_has_a_way_out(tmp_path, sound, seed):
    chance = random.Random(seed)
    content = bytearray(sound)
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path = tmp_path / "store.db"
    path.write_bytes(content)

    saved = expect_a_way_out(path)

    assert not saved or saved["runs"] >= RUNS // 2


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("inside", [0, 777])
def test_truncated_store_has_a_way_out(tmp_path, sound, share, inside):
    path = tmp_path / "store.db"
    pages = int(len(sound) / PAGE * share)
    path.write_bytes(sound[: max(pages, 1) * PAGE + inside])

    expect_a_way_out(path)


def test_each_page_of_zeros_has_a_way_out(tmp_path, sound):
    most = 0
    for number in range(len(sound) // PAGE):
        path = tmp_path / str(number) / "store.db"
        path.parent.mkdir()
        content = bytearray(sound)
        content[number * PAGE : (number + 1) * PAGE] = bytes(PAGE)
        path.write_bytes(content)

        saved = expect_a_way_out(path)
        most += bool(saved) and saved["runs"] == RUNS

    assert most > 10  # what one page takes along is little


def test_lost_head_takes_nothing_along(tmp_path, sound):
    path = tmp_path / "store.db"
    path.write_bytes(bytes(PAGE) + sound[PAGE:])

    assert isinstance(look(path), str)
    assert repair(path).saved["runs"] == RUNS
    assert look(path) == RUNS


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_removed_companion_has_a_way_out(tmp_path, suffix):
    path, left = tmp_path / "store.db", tmp_path / "left" / "store.db"
    left.parent.mkdir()
    with Store(path) as store:
        fill(store, RUNS)
        for file in tmp_path.glob("store.db*"):
            shutil.copyfile(file, left.parent / file.name)
    Path(f"{left}{suffix}").unlink()

    found = look(left) if suffix == "-shm" else "the -wal had all"
    assert found in (RUNS, "the -wal had all")
    if check(left).is_sound:
        assert suffix == "-shm" or check(left).counts["runs"] == 0


def test_removed_wal_is_told_by_check(tmp_path):
    path = tmp_path / "store.db"
    with Store(path) as store:
        fill(store, RUNS)
    mark = Path(f"{path}-mark")
    mark.write_bytes((10_000).to_bytes(8, "little"))

    (note,) = check(path).notes

    assert "lacks its last" in note


def test_damaged_rows_are_told_and_left_out(tmp_path, sound):
    import sqlite3

    path = tmp_path / "store.db"
    path.write_bytes(sound)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE runs SET state = 'what' WHERE seq = 5")
    connection.execute("UPDATE results SET document = '{\"a\"' WHERE seq = 7")
    connection.commit()
    connection.close()

    found = check(path)
    done = repair(path)

    assert not found.is_sound
    assert any("runs" in problem or "run" in problem for problem in found.problems)
    assert any("document is no JSON" in problem for problem in found.problems)
    assert done.lost["runs"] == 1
    assert done.saved["results"] == RUNS - 1  # the metrics of the other are kept
    assert look(path) == RUNS - 1
