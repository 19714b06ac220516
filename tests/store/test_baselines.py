"""Baselines as files: whole or not at all, and never read wrongly."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthound import _atomic
from truthound.errors import StoreError
from truthound.store import Baseline, Baselines

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
names = st.text(st.characters(codec="utf-8"), max_size=30)


def baseline(name: str = "rides", source: str = "rides.csv", **known: Any) -> Baseline:
    return Baseline(
        checkpoint=name, source=source, learned_at="2026-03-10T12:00:00", values=known
    )


@given(name=names, source=names, known=st.dictionaries(st.text(), values))
def test_comes_back_as_it_was_put(name: str, source: str, known: Any) -> None:
    store = Baselines("kept")
    kept = Baseline(checkpoint=name, source=source, learned_at="now", values=known)
    store.put(kept)
    assert store.get(name, source) == kept
    assert list((store.get(name, source) or kept).values) == list(known)
    assert store.path(name, source).parent == store.folder
    assert store.remove(name, source)
    assert store.get(name, source) is None


def test_each_checkpoint_and_source_has_its_own() -> None:
    store = Baselines("kept")
    ones = [baseline("a", "b-c"), baseline("a-b", "c"), baseline("a", "b/c")]
    for number, one in enumerate(ones):
        store.put(baseline(one.checkpoint, one.source, n=number))
    found = [store.get(one.checkpoint, one.source) for one in ones]
    assert [one.values["n"] for one in found if one] == [0, 1, 2]
    assert [one.checkpoint for one in store.all()] == ["a", "a", "a-b"]


def test_nothing_known_is_none_and_nothing_to_remove() -> None:
    store = Baselines("nowhere")
    assert store.get("a", "b") is None
    assert store.remove("a", "b") is False
    assert store.all() == []
    assert not store.folder.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"version": 1}',
        b'{"version": 1, "checkpoint": "", "source": "", "learned_at": 0, "values": 3}',
        b"\xff\xfe",
    ],
)
def test_damaged_file_is_an_error_that_says_what_to_do(content: bytes) -> None:
    store = Baselines("kept")
    store.put(baseline())
    path = store.path("rides", "rides.csv")
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"cannot be read.*baseline reset") as raised:
        store.get("rides", "rides.csv")
    assert str(path) in str(raised.value)
    with pytest.raises(StoreError):
        store.all()
    assert path.read_bytes() == content


def test_every_truncation_is_noticed() -> None:
    store = Baselines("kept")
    store.put(baseline(**{"range:fare": {"min": 0, "max": 5}}))
    path = store.path("rides", "rides.csv")
    whole = path.read_bytes()
    for size in range(len(whole) - 2):
        path.write_bytes(whole[:size])
        with pytest.raises(StoreError):
            store.get("rides", "rides.csv")


def test_later_version_is_refused() -> None:
    store = Baselines("kept")
    store.put(baseline())
    path = store.path("rides", "rides.csv")
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 2}))
    with pytest.raises(StoreError, match="version 2, which this release cannot read"):
        store.get("rides", "rides.csv")


def test_folder_that_is_a_file_cannot_be_written() -> None:
    Path("kept").write_text("in the way")
    with pytest.raises(StoreError, match="cannot keep the baseline in kept"):
        Baselines("kept").put(baseline())
    assert Path("kept").read_text() == "in the way"


def test_value_that_json_cannot_hold_leaves_the_old_one() -> None:
    store = Baselines("kept")
    store.put(baseline(n=1))
    with pytest.raises(StoreError):
        store.put(baseline(n=float("nan")))
    found = store.get("rides", "rides.csv")
    assert found is not None
    assert found.values == {"n": 1}


@pytest.mark.parametrize("step", ["fsync", "replace", "write"])
def test_failing_disk_leaves_the_old_one_whole(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Baselines("kept")
    store.put(baseline(n=1))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    owner, name = {
        "fsync": (os, "fsync"),
        "replace": (Path, "replace"),
        "write": (Path, "write_bytes"),
    }[step]
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, full)
        with pytest.raises(StoreError, match="No space left"):
            store.put(baseline(n=2))

    (only,) = store.folder.iterdir()
    assert only == store.path("rides", "rides.csv")
    assert json.loads(only.read_text())["values"] == {"n": 1}


def test_written_through_the_one_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    plain = _atomic.write_text

    def noted(path: Any, content: str, mode: int = 0o666) -> None:
        written.append(Path(path))
        plain(path, content, mode)

    monkeypatch.setattr(_atomic, "write_text", noted)
    store = Baselines("kept")
    store.put(baseline())
    assert written == [store.path("rides", "rides.csv")]


def test_kept_beside_the_nearest_configuration(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert Baselines.near(inner).folder == inner / ".truthound" / "baselines"
    (tmp_path / "a" / "truthound.yaml").touch()
    assert Baselines.near(inner).folder == tmp_path / "a" / ".truthound" / "baselines"
