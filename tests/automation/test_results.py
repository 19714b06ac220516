"""The whole story of a run: kept as JSON, read back as it was."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthound.automation import Attempt, PipelineRun, SiteResult
from truthound.errors import StoreError

TEXTS = st.text(max_size=30)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
SECONDS = st.floats(0, 1e6)
ATTEMPTS = st.builds(
    Attempt,
    number=st.integers(1, 9),
    started_at=MOMENTS,
    seconds=SECONDS,
    exit_code=st.none() | st.integers(0, 255),
    signal=st.none() | st.just("SIGKILL"),
    error=st.none() | TEXTS,
    output=TEXTS,
    peak_memory=st.none() | st.integers(0, 2**50),
)
SITES = st.builds(
    SiteResult,
    site=TEXTS,
    outcome=st.sampled_from(["success", "failure", "incomplete", "interrupted"]),
    attempts=st.lists(ATTEMPTS, max_size=3).map(tuple),
    error=st.none() | TEXTS,
    log=st.none() | TEXTS,
)
RUNS = st.builds(
    PipelineRun,
    run_id=TEXTS,
    started_at=MOMENTS,
    seconds=SECONDS,
    sites=st.lists(SITES, max_size=5).map(lambda all: {s.site: s for s in all}),
    interrupted=st.booleans(),
)


@given(RUNS)
def test_any_run_is_kept_as_it_was(tmp_path: Path, run: PipelineRun) -> None:
    path = tmp_path / "runs" / "last.json"

    run.save(path)
    found = PipelineRun.load(path)

    assert found == run
    assert list(found.sites) == list(run.sites)
    assert PipelineRun.from_dict(json.loads(json.dumps(run.to_dict()))) == run
    assert found.summary() == run.summary()
    assert found.error_summary() == run.error_summary()
    assert found.results == run.results


def a_run() -> PipelineRun:
    when = datetime(2026, 3, 1, 12, tzinfo=UTC)
    attempt = Attempt(number=1, started_at=when, seconds=1.5, exit_code=0, output="é\n")
    later = Attempt(
        number=2,
        started_at=when + timedelta(seconds=9),
        seconds=0.25,
        signal="SIGKILL",
        error="killed by SIGKILL",
        peak_memory=10**7,
    )
    return PipelineRun(
        run_id="x",
        started_at=when,
        seconds=12.25,
        sites={
            "a": SiteResult(site="a", outcome="success", attempts=(attempt,)),
            "b": SiteResult(
                site="b",
                outcome="incomplete",
                attempts=(attempt, later),
                error="killed by SIGKILL",
                log="/tmp/b.log",
            ),
        },
    )


def damaged(change: Any) -> bytes:
    record = a_run().to_dict()
    change(record)
    return json.dumps(record).encode()


DAMAGED = {
    "nothing": b"",
    "half": json.dumps(a_run().to_dict()).encode()[:-50],
    "list": b"[]",
    "text": b'"x"',
    "null": b"null",
    "no JSON": b"{'a': 1}",
    "not UTF-8": b'{"run_id": "\xff"}',
    "deep": b"[" * 100_000,
    "no run_id": damaged(lambda r: r.pop("run_id")),
    "another format": damaged(lambda r: r.update(format=2)),
    "no format": damaged(lambda r: r.pop("format")),
    "sites are none": damaged(lambda r: r.update(sites=None)),
    "sites are texts": damaged(lambda r: r.update(sites=["a"])),
    "site without a name": damaged(lambda r: r["sites"][0].pop("site")),
    "name is a list": damaged(lambda r: r["sites"][0].update(site=[1])),
    "name is a number": damaged(lambda r: r["sites"][0].update(site=1)),
    "outcome": damaged(lambda r: r["sites"][0].update(outcome="fine")),
    "attempts": damaged(lambda r: r["sites"][0].update(attempts=5)),
    "seconds": damaged(lambda r: r["sites"][0]["attempts"][0].update(seconds="x")),
    "moment": damaged(lambda r: r.update(started_at="yesterday")),
    "output": damaged(lambda r: r["sites"][0]["attempts"][0].update(output=None)),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_file_is_refused_by_its_name(content: bytes) -> None:
    Path("last.json").write_bytes(content)

    with pytest.raises(StoreError, match=r"last\.json is no run of a pipeline, or is"):
        PipelineRun.load("last.json")


def test_any_damage_gives_a_run_or_the_one_error() -> None:
    content = json.dumps(a_run().to_dict(), indent=2).encode()
    chance = random.Random(5)
    for _ in range(400):
        broken = bytearray(content)
        if chance.random() < 0.3:
            del broken[chance.randrange(len(broken)) :]
        else:
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        Path("last.json").write_bytes(broken)
        try:
            found = PipelineRun.load("last.json")
        except StoreError:
            continue
        assert found.summary()
        assert found.error_summary() is not None
        assert found.to_dict()


def test_file_that_is_not_there_or_cannot_be_written_is_named() -> None:
    Path("file").write_text("")
    Path("folder.json").mkdir()

    with pytest.raises(StoreError, match=r"cannot read nowhere\.json: No such file"):
        PipelineRun.load("nowhere.json")
    with pytest.raises(StoreError, match=r"cannot write file/last\.json: "):
        a_run().save("file/last.json")
    with pytest.raises(StoreError, match=r"cannot write folder\.json: "):
        a_run().save("folder.json")
    assert {path.name for path in Path().iterdir()} == {"file", "folder.json"}


def test_from_dict_says_what_is_wrong() -> None:
    record = a_run().to_dict()
    record["sites"][1]["outcome"] = "fine"

    with pytest.raises(ValueError, match="Invalid enum value 'fine'"):
        PipelineRun.from_dict(record)


def test_run_says_how_it_went() -> None:
    run = a_run()

    assert run.results == {"a": True, "b": False}
    assert not run.success
    assert [site.site for site in run.failures] == ["b"]
    assert run.summary() == "1 of 2 sites succeeded, 1 incomplete in 12.2 s"
    assert run.sites["b"].summary() == "b: killed by SIGKILL (2 attempts, 1.8 s)"
    assert run.error_summary() == "b: killed by SIGKILL\n    log: /tmp/b.log"
    empty = PipelineRun(run_id="", started_at=run.started_at, seconds=0, sites={})
    assert empty.summary() == "0 of 0 sites succeeded in 0.0 s"
    assert (empty.success, empty.error_summary()) == (True, "")
