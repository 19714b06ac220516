"""Checkpoints: how a run ends, what its result says, and what cannot stop it."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest

import truthound
from truthound import Checkpoint, CheckpointConfig, CheckpointResult, Severity
from truthound.checkpoint import (
    AsyncCheckpoint,
    CheckpointStatus,
    to_async_checkpoint,
)
from truthound.errors import (
    ConfigurationError,
    UnknownNameError,
    UnknownOptionError,
    ValidationFailedError,
)
from truthound.validators import RowValidator

ROWS = pl.DataFrame({"id": [1, 2, 3, 4], "fare": [5.0, None, 900.0, 7.5]})


def checkpoint(validators: Any = ("null",), **options: Any) -> Checkpoint:
    options.setdefault("data_source", ROWS)
    return Checkpoint("rides", validators=list(validators), **options)


def checkpoint_run(data: Any, **options: Any) -> Any:
    return checkpoint(data_source=data, **options).run().validation_run


def one_call(data: Any, **options: Any) -> Any:
    return truthound.check(data, ["null"], **options)


def nulls(share_of_100: int) -> pl.DataFrame:
    return pl.DataFrame({"x": [None] * share_of_100 + [1] * (100 - share_of_100)})


@pytest.mark.parametrize(
    ("bad", "severity", "options", "status"),
    [
        (0, None, {}, "success"),
        (1, "low", {}, "warning"),
        (2, "medium", {}, "warning"),
        (11, "high", {}, "warning"),
        (11, "high", {"fail_on_high": True}, "failure"),
        (51, "critical", {}, "failure"),
        (51, "critical", {"fail_on_critical": False}, "warning"),
        (51, "critical", {"fail_on_critical": False, "fail_on_high": True}, "warning"),
        (1, "low", {"min_severity": "medium"}, "success"),
    ],
)
def test_status_follows_the_worst_issue(
    bad: int, severity: str | None, options: dict[str, Any], status: str
) -> None:
    result = checkpoint(data_source=nulls(bad), **options).run()

    assert result.status == status
    assert result.validation_run.checks[0].severity == severity
    assert result.success is (status == "success")


async def test_sync_and_async_runs_agree() -> None:
    both = checkpoint(["null", {"range": {"column": "fare", "max": 500}}])

    awaited = await both.run_async({"batch": 7})
    blocking = await asyncio.to_thread(both.run, {"batch": 7})

    assert awaited.metadata == blocking.metadata == {"batch": 7}
    assert awaited.status == blocking.status == "warning"
    strip = [
        [(c.name, c.failed, c.examples) for c in r.validation_run.checks]
        for r in (awaited, blocking)
    ]
    assert strip[0] == strip[1]
    assert awaited.run_id != blocking.run_id


def test_a_check_that_cannot_be_evaluated_makes_the_run_an_error() -> None:
    result = checkpoint(["null", {"null": {"column": "fair"}}]).run()

    assert result.status == CheckpointStatus.ERROR
    assert "did you mean 'fare'" in (result.error or "")
    by_name = {c.name: c.status for c in result.validation_run.checks}
    assert by_name == {
        "null(id)": "passed",
        "null(fare)": "failed",
        "null(fair)": "error",
    }


def test_missing_data_is_an_error_that_names_it() -> None:
    result = checkpoint(data_source="nowhere.csv").run()

    assert result.status == "error"
    assert "nowhere.csv" in (result.error or "")
    assert result.validation_run is None


@pytest.mark.parametrize("allow", [True, False])
def test_an_empty_table_does_not_pass_quietly(allow: bool) -> None:
    result = checkpoint(data_source=ROWS.clear(), allow_empty=allow).run()

    assert result.status == ("success" if allow else "warning")
    issues = [(i.name, i.severity) for i in result.validation_run.issues]
    assert issues == ([] if allow else [("empty", Severity.HIGH)])


class Gate:
    """A data source that blocks until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> pl.DataFrame:
        self.entered.set()
        assert self.open.wait(20)
        return ROWS


def test_timeout_ends_a_blocking_run() -> None:
    gate = Gate()
    try:
        result = checkpoint(data_source=gate, timeout_seconds=0.1).run()
    finally:
        gate.open.set()

    assert result.status == "error"
    assert "not finished after 0.1 seconds" in (result.error or "")


async def test_timeout_ends_an_awaited_run() -> None:
    gate = Gate()
    try:
        result = await checkpoint(data_source=gate, timeout_seconds=0.1).run_async()
    finally:
        gate.open.set()

    assert result.status == "error"
    assert "not finished after 0.1 seconds" in (result.error or "")


async def test_timeout_ends_a_hanging_coroutine_source() -> None:
    async def never() -> pl.DataFrame:
        await asyncio.Event().wait()
        return ROWS

    result = await checkpoint(data_source=never, timeout_seconds=0.05).run_async()

    assert result.status == "error"
    assert "0.05 seconds" in (result.error or "")


def test_hung_runs_leave_room_for_others() -> None:
    gates = [Gate() for _ in range(20)]  # more than there are threads
    try:
        for gate in gates:
            assert checkpoint(data_source=gate, timeout_seconds=0.02).run().error
        result = checkpoint(data_source=lambda: ROWS, timeout_seconds=20).run()
    finally:
        for gate in gates:
            gate.open.set()

    assert result.status == "warning"


async def test_cancellation_goes_through_and_gives_the_run_up() -> None:
    gate = Gate()
    task = asyncio.create_task(checkpoint(data_source=gate).run_async())
    await asyncio.to_thread(gate.entered.wait, 20)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open.set()

    assert task.cancelled()


async def test_cancellation_at_every_await_leaves_nothing_behind() -> None:
    async def source() -> pl.DataFrame:
        for _ in range(3):
            await asyncio.sleep(0)
        return ROWS

    finished = False
    for steps in range(200):
        task = asyncio.create_task(checkpoint(data_source=source).run_async())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            assert task.cancelled()
        else:
            finished = True
            break
        if steps > 20:  # past the last await of our own: wait for the thread
            await asyncio.sleep(0.005)
    assert finished


async def test_a_stray_cancelled_error_is_the_runs_error() -> None:
    async def source() -> pl.DataFrame:
        raise asyncio.CancelledError("stray")

    def blocking() -> pl.DataFrame:
        raise asyncio.CancelledError("stray")

    for faulty in (source, blocking):
        result = await checkpoint(data_source=faulty).run_async()
        assert result.status == "error"
        assert "stray" in (result.error or "")


def test_an_exception_of_the_users_is_named_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def source() -> pl.DataFrame:
        raise ZeroDivisionError("no rides today")

    result = checkpoint(data_source=source).run()

    assert result.error == "ZeroDivisionError: no rides today"
    assert "Traceback" in caplog.text


def test_sources_that_are_functions(tmp_path: Path) -> None:
    async def later() -> pl.DataFrame:
        await asyncio.sleep(0)
        return ROWS

    for source in (lambda: ROWS, later, lambda: later()):
        assert checkpoint(data_source=source).run().validation_run.row_count == 4


def test_source_that_is_a_function_may_know_of_its_run() -> None:
    def plain(context: Mapping[str, Any]) -> pl.DataFrame:
        return ROWS.head(context["rows"])

    async def later(context: Mapping[str, Any], /, most: int = 9) -> pl.DataFrame:
        return ROWS.head(min(most, context["rows"]))

    for source in (plain, later):
        checked = checkpoint(data_source=source, metadata={"rows": 1})
        assert checked.run().validation_run.row_count == 1
        result = asyncio.run(checked.run_async({"rows": 3}))
        assert result.validation_run.row_count == 3


async def test_a_coroutine_source_is_awaited_in_the_callers_loop() -> None:
    loops = []

    async def source() -> pl.DataFrame:
        loops.append(asyncio.get_running_loop())
        return ROWS

    await checkpoint(data_source=source).run_async()

    assert loops == [asyncio.get_running_loop()]


def test_result_survives_json() -> None:
    result = checkpoint(
        ["null", {"range": {"column": "fare", "max": 500}}], metadata={"a": 1}
    ).run({"when": "now"})

    record = json.loads(json.dumps(result.to_dict()))
    again = CheckpointResult.from_dict(record)

    assert again.to_dict() == record
    assert again.validation_run.checks[1].failed == 1
    assert again.metadata == {"a": 1, "when": "now"}


def test_raise_for_failure_carries_the_result() -> None:
    result = checkpoint().run()

    with pytest.raises(ValidationFailedError) as caught:
        result.raise_for_failure()
    assert caught.value.result is result
    checkpoint(data_source=nulls(0)).run().raise_for_failure()


def test_result_is_an_ordinary_assignable_dataclass() -> None:
    result = checkpoint().run()
    result.metadata["seen"] = True
    result.validation_run = object()  # a test double is tolerated

    assert result.summary().startswith("rides: ")
    assert result.to_dict()["validation_run"] is None
    assert result._repr_html_()


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"data_sorce": "x"}, UnknownOptionError, "did you mean 'data_source'"),
        ({"timeout_seconds": -1}, ConfigurationError, "timeout_seconds"),
        ({"sample_rows": -1}, ConfigurationError, "sample_rows"),
        ({"sample_size": 0}, ConfigurationError, "sample_size"),
        ({"min_severity": "bad"}, ConfigurationError, "critical"),
        ({"validators": ["nul"]}, UnknownNameError, "did you mean 'null'"),
        ({"validators": [{"range": {"colum": "x"}}]}, TypeError, "column"),
        ({"validators": [{"range": {"mostly": 2}}]}, ValueError, "mostly"),
        ({"validators": [3]}, ConfigurationError, "3"),
        ({"validator_config": {"rang": {}}}, ConfigurationError, "'rang'"),
        ({"read_options": {"delimeter": ";"}}, UnknownOptionError, "delimiter"),
        ({"actions": [object()]}, TypeError, "expected an action"),
        ({"triggers": [object()]}, TypeError, "expected a trigger"),
    ],
)
def test_wrong_options_are_refused_at_once(
    options: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        Checkpoint("rides", **{"data_source": ROWS, "validators": ["null"], **options})


def test_options_by_validator_name() -> None:
    result = checkpoint(
        ["null", "range"], validator_config={"range": {"column": "fare", "max": 10}}
    ).run()

    assert [c.name for c in result.validation_run.issues] == [
        "range(fare)",
        "null(fare)",
    ]


def test_config_objects_and_changes_to_them() -> None:
    config = CheckpointConfig(name="a", data_source=ROWS, validators=["null"])
    both = Checkpoint(config=config, sample_rows=0)
    assert both.name == "a"
    assert both.run().validation_run.checks[1].examples == ()

    both.config.validators = [{"range": {"column": "fare", "min": 0}}]
    assert both.run().validation_run.success


def test_plan_is_made_anew_for_other_columns() -> None:
    frames = iter([ROWS, ROWS.select("id"), pl.DataFrame({"other": [None]})])
    changing = checkpoint(data_source=lambda: next(frames))

    names = [[c.name for c in changing.run().validation_run] for _ in range(3)]

    assert names == [["null(id)", "null(fare)"], ["null(id)"], ["null(other)"]]


class SlowEvenValidator(RowValidator):
    rule = "slow_even"
    calls_python = True
    threads: ClassVar[list[str]] = []

    def holds(self, column: Any, ns: Any) -> Any:
        self.threads.append(threading.current_thread().name)
        return ns.col(column.name) % 2 == 0


def test_small_frames_run_in_place_unless_users_code_is_called() -> None:
    SlowEvenValidator.threads.clear()
    checkpoint([SlowEvenValidator("id")]).run()
    assert all(n.startswith("truthound-") for n in SlowEvenValidator.threads)

    SlowEvenValidator.threads.clear()
    quick = SlowEvenValidator("id")
    SlowEvenValidator.calls_python = False
    try:
        checkpoint([quick]).run()
    finally:
        SlowEvenValidator.calls_python = True
    assert set(SlowEvenValidator.threads) == {threading.current_thread().name}


def test_redacted_columns_never_show() -> None:
    result = checkpoint(
        ["null", {"range": {"column": "fare", "max": 500}}],
        redact=["fa*"],
        id_columns=["id"],
    ).run()

    shown = [e for c in result.validation_run.checks for e in c.examples]
    assert shown
    assert {e["fare"] for e in shown} == {"***"}
    assert {e["id"] for e in shown} == {2, 3}


def test_explain_and_validate_say_it_in_words() -> None:
    text = checkpoint(["null", {"range": {"column": "fare", "min": 0}}]).explain()
    assert "in 1 select" in text
    assert "nulls fare" in text

    assert checkpoint().validate() == []
    assert Checkpoint("empty", validators=["null"]).validate() == [
        "empty: data_source is missing"
    ]


def test_to_dict_hides_secrets() -> None:
    secret = "s3cr3t-canary"
    text = json.dumps(
        checkpoint(
            data_source=f"https://me:{secret}@host/x.csv",
            read_options={"storage_options": {"key": secret}},
        ).to_dict()
    )
    assert secret not in text
    assert "https://me:***@host/x.csv" in text


async def test_callbacks_are_called_in_order_and_cannot_break_a_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[Any] = []

    class Late:
        async def __call__(self, result: Any) -> None:
            await asyncio.sleep(0)
            calls.append(("complete", result.status))
            raise ValueError("in a callback")

    async with AsyncCheckpoint(
        "rides",
        data_source="nowhere.csv",
        validators=["null"],
        on_start=lambda cp: calls.append(("start", cp.name)),
        on_complete=Late(),
        on_error=lambda result: calls.append(("error", result.status)),
    ) as watched:
        result = await watched.run_async()

    assert result.status == "error"
    assert calls == [("start", "rides"), ("complete", "error"), ("error", "error")]
    assert "in a callback" in caplog.text
    with pytest.raises(RuntimeError, match="closed"):
        await watched.run_async()


async def test_leaving_the_block_waits_for_runs() -> None:
    gate = Gate()
    async with AsyncCheckpoint("r", data_source=gate, validators=["null"]) as watched:
        task = asyncio.create_task(watched.run_async())
        await asyncio.to_thread(gate.entered.wait, 20)
        asyncio.get_running_loop().call_later(0.02, gate.open.set)

    assert task.done()


async def test_sync_face_of_an_async_checkpoint() -> None:
    converted = to_async_checkpoint(checkpoint())
    with pytest.raises(RuntimeError, match="run_async"):
        converted.run()

    result = await asyncio.to_thread(converted.run)
    assert result.status == "warning"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("name", None),
        ("validator_config", 5),
        ("auto_schema", "yes"),
        ("run_name_template", 5),
        ("tags", ["a"]),
        ("metadata", 5),
        ("fail_on_high", "no"),
        ("read_options", "x"),
        ("id_columns", 5),
        ("redact", 5),
        ("allow_empty", 1),
        *[("timeout_seconds", bad) for bad in (None, "5", -1, math.nan, math.inf)],
        *[("sample_rows", bad) for bad in (None, "5", -1, 1.5, True)],
    ],
)
def test_an_option_of_the_wrong_type_is_named(option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{option} is "):
        CheckpointConfig(**{option: value})


@pytest.mark.parametrize("how", [checkpoint_run, one_call])
def test_one_column_may_stand_for_itself(how: Any) -> None:
    run = how({"email": [None], "id": [7]}, redact="id", id_columns="id")
    assert run.checks[0].examples == [{"row": 1, "email": None, "id": "***"}]


@pytest.mark.parametrize("how", [checkpoint_run, one_call])
def test_a_redacted_column_that_does_not_exist_is_told(how: Any) -> None:
    run = how({"email": [None]}, redact=["emial", "x*"], id_columns=["ID"])
    assert run.warnings == [
        "id_columns: there is no column 'ID'",
        "redact: there is no column 'emial', did you mean 'email'?",
        "redact: there is no column 'x*'",
    ]
