"""Names of validators: found, suggested, registered, plugged in, imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import truthound
from truthound.errors import (
    ConfigurationError,
    UnknownNameError,
    UnknownOptionError,
)
from truthound.validators import (
    NullValidator,
    RangeValidator,
    RowValidator,
    Validator,
    build,
    build_all,
    find,
    names,
    register,
    registry,
)

PLUGIN = """
from truthound.validators import RowValidator

class Positive(RowValidator):
    rule = "positive"
    accepts = ("numeric",)

    def holds(self, column, ns):
        return ns.col(column.name) > 0
"""


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """Forget what a test registered."""
    before = dict(registry._registered)
    yield
    registry._registered.clear()
    registry._registered.update(before)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what installs a distribution that announces an entry point."""

    def install(name: str, target: str, source: str = PLUGIN) -> None:
        (tmp_path / f"{target.partition(':')[0]}.py").write_text(source)
        info = tmp_path / f"{name}_plugin-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\n")
        (info / "entry_points.txt").write_text(
            f"[truthound.validators]\n{name} = {target}\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, target.partition(":")[0], raising=False)

    return install


@pytest.mark.parametrize("name", names())
def test_every_name_leads_to_a_class_of_that_rule(name: str) -> None:
    cls = find(name)
    assert issubclass(cls, Validator)
    assert cls.rule == {"not_null": "null"}.get(name, name)


def test_unknown_name_and_option_suggest_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'range'"):
        find("rnage")
    with pytest.raises(UnknownOptionError, match="did you mean 'min'"):
        build({"range": {"column": "x", "mni": 0}})
    with pytest.raises(UnknownOptionError, match="did you mean 'severity'"):
        RangeValidator(column="x", severty="high")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"range": {"column": "x", "min": {}}}, r"range\.min"),
        ({"range": {"column": "x", "mostly": "most"}}, r"range\.mostly"),
        ({"range": {"column": "x", "mostly": 1.5}}, "mostly is a share"),
        ({"range": {"column": "x", "severity": "hgih"}}, "did you mean 'high'"),
        ({"range": ["x"]}, "expected its options as a mapping"),
        ({"null": {"column": "x", "columns": ["y"]}}, "either column or columns"),
        ({"range": {}, "null": {}}, "a validator is a name"),
        (42, "a validator is a name"),
    ],
)
def test_options_of_the_wrong_type_are_refused(spec: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        build(spec)


def test_every_way_to_say_the_same() -> None:
    ready = NullValidator(column="x")
    assert build(ready) is ready
    assert isinstance(build(NullValidator), NullValidator)
    assert isinstance(build("null"), NullValidator)
    assert build({"null": None}).options() == {}
    assert build({"not_null": {"column": "x"}}).options() == {"column": "x"}
    assert build(lambda values: values > 1).rule == "custom"


@pytest.mark.parametrize(
    ("specs", "rules"),
    [
        (None, []),
        ("null", ["null"]),
        (["null", {"range": {}}], ["null", "range"]),
        ({"null": None, "range": {"min": 0}}, ["null", "range"]),
        (NullValidator(), ["null"]),
    ],
)
def test_lists_of_validators(specs: Any, rules: list[str]) -> None:
    assert [validator.rule for validator in build_all(specs)] == rules


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="validators are a list, not 3"):
        build_all(3)


def test_registered_class_is_known_by_its_rule() -> None:
    @register
    class EvenValidator(RowValidator):
        rule = "even"

        def holds(self, column: Any, ns: Any) -> Any:
            return ns.col(column.name) % 2 == 0

    frame = pl.DataFrame({"x": [2, 3]})
    assert truthound.check(frame, [{"even": {"column": "x"}}]).checks[0].failed == 1
    assert "even" in names()
    assert register(EvenValidator) is EvenValidator
    with pytest.raises(UnknownNameError, match="did you mean 'even'"):
        find("evn")


@pytest.mark.parametrize("taken", ["null", "mine"])
def test_name_that_is_taken_is_refused(taken: str) -> None:
    class First(NullValidator):
        rule = "mine"

    class Second(NullValidator):
        rule = taken

    register(First)
    with pytest.raises(ConfigurationError, match=f"validator '{taken}' already"):
        register(Second)


def test_plugin_is_found_by_its_entry_point(plugin: Any) -> None:
    plugin("positive", "positive_rules:Positive")
    assert "positive" in names()
    run = truthound.check({"x": [1, -1]}, [{"positive": {"column": "x"}}])
    assert run.checks[0].failed == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", "'broken' cannot be loaded: ZeroDivisionError"),
        ("Positive = 3", "'broken' leads to 3, no Validator class"),
        ("", "'broken' cannot be loaded: AttributeError"),
    ],
)
def test_plugin_that_cannot_be_loaded_is_named(
    plugin: Any, source: str, said: str
) -> None:
    plugin("broken", "broken_rules:Positive", source)
    with pytest.raises(ConfigurationError, match=said):
        find("broken")
    assert find("null") is NullValidator


def test_class_is_imported_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_validators.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    spec = {"own_validators:Positive": {"column": "x"}}
    assert truthound.check({"x": [1, -1]}, [spec]).checks[0].failed == 1
    with pytest.raises(ConfigurationError, match="has no attribute 'Negative'"):
        find("own_validators:Negative")
    with pytest.raises(ConfigurationError, match="No module named"):
        find("no_such_module:Positive")
    (tmp_path / "truthound.yaml").write_text(
        "checkpoints:\n- name: x\n  data_source: {}\n  validators:\n"
        "  - own_validators:Positive: {column: x}\n".replace("{}", "x.csv", 1)
    )
    (tmp_path / "x.csv").write_text("x\n1\n-1\n")
    from truthound.checkpoint import load_checkpoints

    (checkpoint,) = load_checkpoints(tmp_path / "truthound.yaml")
    assert checkpoint.run().validation_run.checks[0].failed == 1
