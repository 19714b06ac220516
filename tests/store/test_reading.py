"""Questions to a store: filters, order, names of runs, documents, exports."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from store.histories import STATUSES, fill, moment, owe, run_id
from truthound.checkpoint import CheckpointResult, history
from truthound.errors import ConfigurationError, StoreError, UnknownNameError
from truthound.store import MemoryStore, Store
from truthound.store._reading import selected
from truthound.store._tables import runs

RUNS = 60


@pytest.fixture
def store():
    with MemoryStore() as store:
        fill(store, RUNS)
        yield store


def numbers(found):
    return [record.row_count - 100 for record in found]


@given(
    checkpoint=st.sampled_from([None, "a", "b", "c"]),
    statuses=st.sets(st.sampled_from(STATUSES)),
    since=st.none() | st.integers(0, RUNS + 2),
    until=st.none() | st.integers(0, RUNS + 2),
    limit=st.none() | st.integers(1, 30),
    before=st.none() | st.integers(1, RUNS),
)
def test_runs_are_those_of_a_plain_loop(
    checkpoint, statuses, since, until, limit, before
):
    expected = [
        n
        for n in range(RUNS, 0, -1)
        if checkpoint in (None, "abc"[n % 3])
        and (not statuses or STATUSES[n % len(STATUSES)] in statuses)
        and (since is None or n >= since)
        and (until is None or n < until)
        and (before is None or n < before)
    ]

    with MemoryStore() as store:
        fill(store, RUNS)
        if not expected:
            return
        found = store.runs(
            checkpoint,
            statuses=statuses,
            since=None if since is None else moment(since),
            until=None if until is None else moment(until),
            limit=limit,
            before=None if before is None else run_id(before),
        )

    assert numbers(found) == expected[:limit]


@pytest.mark.parametrize("statuses", [(), ("failure",), ("error", "warning")])
def test_runs_of_a_checkpoint_come_from_an_index(tmp_path, statuses):
    with Store(tmp_path / "store.db") as store:
        fill(store, 6)
        asked = selected(select(runs), checkpoint="a", statuses=statuses).limit(50)
        text = str(asked.compile(compile_kwargs={"literal_binds": True}))
        with store.reading() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()

    told = " ".join(row[3] for row in plan)
    assert "USING INDEX runs_b" in told
    assert "TEMP B-TREE" not in told


@pytest.mark.parametrize(
    ("which", "number"),
    [
        ("latest", 60),
        ("latest~3", 57),
        ("a", 60),
        ("a~1", 57),
        ("c", 59),
        (run_id(7), 7),
        (run_id(7)[:-1], 7),
        (run_id(7)[-8:], 7),
    ],
)
def test_run_is_found_by_what_stands_for_it(store, which, number):
    assert store.run(which).run_id == run_id(number)


@pytest.mark.parametrize("which", ["", "nothing", "latest~60", "a~99", "d~0", "run%"])
def test_run_that_is_not_there_is_an_error(store, which):
    with pytest.raises(UnknownNameError, match="there is no run"):
        store.run(which)


def test_run_that_is_misspelt_is_suggested(store):
    with pytest.raises(UnknownNameError, match=f"did you mean '{run_id(7)}'"):
        store.run(run_id(7)[:-9] + "x" + run_id(7)[-8:])


def test_beginning_of_several_runs_is_an_error(store):
    with pytest.raises(ConfigurationError, match=r"several runs: .*, \.\.\."):
        store.run("run_")


def test_document_is_a_result_with_how_the_run_ended(store):
    actions = '[{"action_name": "slack", "action_type": "slack", "status": "success"}]'
    store._do(
        lambda c: (
            c.exec_driver_sql(
                "UPDATE runs SET status = 'failure', error = 'an action' WHERE seq = 3"
            ),
            c.exec_driver_sql(
                "UPDATE results SET actions = ? WHERE seq = 3", (actions,)
            ),
        )
    )

    found = history.result(store, run_id(3))

    assert isinstance(found, CheckpointResult)
    assert (str(found.status), found.error) == ("failure", "an action")
    assert found.action_results[0].action_name == "slack"
    assert found.validation_run.row_count == 103


def test_run_without_a_document_has_what_is_known_of_it(store):
    store._do(
        lambda c: (
            c.exec_driver_sql("DELETE FROM results WHERE seq = 3"),
            c.exec_driver_sql(
                "UPDATE runs SET state = 'interrupted', status = 'error', "
                "error = 'gone' WHERE seq = 3"
            ),
        )
    )

    found = history.result(store, run_id(3))

    assert (str(found.status), found.error) == ("error", "gone")
    assert found.validation_run is None


@pytest.mark.parametrize("text", ["{", "[1]", '{"validation_run": 7}'])
def test_damaged_document_names_the_run(store, text):
    store._do(
        lambda c: c.exec_driver_sql(
            "UPDATE results SET document = ? WHERE seq = 3", (text,)
        )
    )

    with pytest.raises(StoreError, match=rf"{run_id(3)}.*truthound store check"):
        history.result(store, run_id(3))


def test_past_is_the_latest_metrics_the_oldest_first(store):
    found = store.past("a", "rides.csv", 3, statuses=["success"])

    assert [past.values["rows"] for past in found] == [154, 157, 160]
    assert store.past("a", "other.csv") == []


def test_notices_are_filtered_and_in_the_order_in_which_they_are_due(store):
    for number, state in ((9, "owed"), (3, "dead"), (4, "delivered")):
        owe(store, number, state)

    assert [n.run_id for n in store.notices()] == [run_id(n) for n in (3, 4, 9)]
    assert [n.run_id for n in store.notices(states=["owed"])] == [run_id(9)]
    assert [n.run_id for n in store.notices(checkpoint="b")] == [run_id(4)]
    assert store.counts()["notices dead"] == 1


def test_exports_hold_the_same_runs(store):
    number = store.export("runs.parquet", statuses=["failure"], documents=True)
    store.export("runs.jsonl", statuses=["failure"], documents=True)

    frame = pl.read_parquet("runs.parquet")
    lines = [json.loads(line) for line in Path("runs.jsonl").read_text().splitlines()]
    assert number == len(frame) == len(lines) == RUNS // 6
    assert frame["run_id"].to_list() == [line["run_id"] for line in lines]
    assert frame["accepted_at"][0] == moment(58)
    assert json.loads(frame["metrics"][0]) == lines[0]["metrics"] == {"rows": 158}
    assert lines[0]["document"]["run_id"] == run_id(58)


def test_export_of_no_run_is_a_file_with_columns(store):
    assert store.export("none.parquet", checkpoint="d") == 0
    assert "run_id" in pl.read_parquet("none.parquet").columns


def test_export_to_something_else_is_refused(store):
    with pytest.raises(ConfigurationError, match=r"did you mean '\.parquet'"):
        store.export("runs.parque")
    with pytest.raises(StoreError, match=r"cannot write none/runs\.jsonl"):
        store.export("none/runs.jsonl")
    store._do(
        lambda c: c.exec_driver_sql("UPDATE results SET metrics = '{' WHERE seq = 1")
    )
    with pytest.raises(StoreError, match="metrics of run"):
        store.export("runs.jsonl")
    assert not list(Path().iterdir())


def test_prune_keeps_the_latest_and_the_last_failure(store):
    owe(store, 6, "owed")
    owe(store, 9, "delivered")
    assert store.prune(keep=1, trial=True) == store.prune(keep=1) > 0

    left = set(numbers(store.runs(limit=None)))
    bad = {58, 59}  # the last of b and c are no success, and none of a is
    assert left == {58, 59, 60, 6} | bad
    assert store.counts()["results"] == len(left)
    assert store.counts()["notices"] == 1


def test_prune_by_age_measures_from_now(store):
    age = store.clock.now() - moment(31)

    removed = store.prune(older_than=age - timedelta(seconds=1), checkpoint="a")

    assert removed == 10
    assert min(numbers(store.runs("a", limit=None))) == 33
    assert min(numbers(store.runs("b", limit=None))) == 1


def test_prune_leaves_what_has_not_ended(store):
    store._do(
        lambda c: c.exec_driver_sql("UPDATE runs SET state = 'running' WHERE seq < 10")
    )

    store.prune(keep=0)

    assert set(range(1, 10)) <= set(numbers(store.runs(limit=None)))


@pytest.mark.parametrize("options", [{}, {"keep": -1}, {"older_than": timedelta(-1)}])
def test_prune_that_makes_no_sense_is_refused(store, options):
    with pytest.raises(ConfigurationError):
        store.prune(**options)


def test_diff_tells_what_changed(store):
    found = history.diff(store, run_id(3), run_id(4))

    assert found.began == ("null(fare)",)
    assert found.statuses == ("success", "failure")
    moved = {(m.what, m.number): (m.before, m.after) for m in found.moved}
    assert moved == {("rows", "rows"): (103, 104), ("null(fare)", "failed"): (0, 4)}
    assert history.diff(store, run_id(4), run_id(3)).ended == ("null(fare)",)
    assert history.diff(store, run_id(4), run_id(4)).is_same
    assert json.dumps(found.to_dict())


def test_trend_has_a_point_for_each_run(store):
    found = history.trend(store, "null(fare)", "b", limit=3)

    assert [point.run_id for point in found.points] == [run_id(n) for n in (52, 55, 58)]
    assert found.values == [52, 0, 58]
    assert [point.status for point in found.points] == ["failed", "passed", "failed"]
    assert history.trend(store, "rows", "b", limit=2).values == [155, 158]


def test_trend_of_an_unknown_check_is_an_error(store):
    with pytest.raises(UnknownNameError, match=r"did you mean 'null\(fare\)'"):
        history.trend(store, "null(fair)")
    with pytest.raises(ConfigurationError, match="several checkpoints"):
        history.trend(store, "null(fare)")
