"""What a configuration says arrives in another process as it was."""

from __future__ import annotations

import enum
import math
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthound.automation._nodes import as_yaml, mapping, node_of
from truthound.automation._task import find_task, read_task, task_of
from truthound.automation.config import load_config
from truthound.checkpoint.config._document import Problems, read_yaml
from truthound.errors import ConfigurationError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        TEXTS,
        st.sampled_from(
            ["null", "~", "1", "1.5", "true", "2024-01-01", "", "- x", "a: b"]
        ),
        st.dates(min_value=date(1000, 1, 1)),
        st.datetimes(
            min_value=datetime(1000, 1, 1),
            timezones=st.sampled_from([None, timezone.utc]),  # noqa: UP017
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=12,
)


def there_and_back(value: Any) -> Any:
    problems = Problems("text")
    text = as_yaml(node_of({"value": value}))
    assert "\n" not in text
    node = read_yaml(text.encode().decode(), problems)
    assert problems.lines == []
    assert node is not None
    return node.plain()["value"]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


@given(PLAIN)
def test_any_plain_value_comes_back_as_it_was(value: Any) -> None:
    if isinstance(value, dict) and "<<" in value:
        return
    assert same(value, there_and_back(value))


class Word(str, enum.Enum):  # noqa: UP042 - the kind whose str() is another text
    HIGH = "high"


class Number(enum.IntEnum):
    TWO = 2


class Odd(float):
    def __repr__(self) -> str:
        return f"Odd({float(self)})"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, 2), [1, 2]),
        (Path("a/b"), "a/b"),
        (Word.HIGH, "high"),
        (Number.TWO, 2),
        (Odd(1.5), 1.5),
        ({1: "x"}, {"1": "x"}),
        ({"k" * 5_000: 1}, {"k" * 5_000: 1}),
        ("x" * 100_000, "x" * 100_000),
        (float("-inf"), float("-inf")),
        ("\ufeff\x85\u2028\x00\x1b", "\ufeff\x85\u2028\x00\x1b"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_kinds_of_values_become_plain(value: Any, expected: Any) -> None:
    assert there_and_back(value) == expected


@pytest.mark.parametrize("value", [object(), b"x", {1.5: 2}, {None: 1}, {True: 1}, {2}])
def test_what_cannot_be_passed_is_named(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"x\.y"):
        node_of({"x": {"y": {"z": value} if isinstance(value, dict) else value}})


VALIDATORS = [
    "null",
    {"range": {"column": "fare", "min": -1.5, "max": 10**18, "where": "a = 'ü\\'"}},
    {"in_set": {"column": "kind", "values": ["no", "1", 1, "null", "~"]}},
    {"regex": {"column": "code", "pattern": '^[A-Z]{2}"\\d+#: $'}},
]


def test_task_of_a_site_arrives_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t")
    name = 'a "site": {ü}\n'
    config = load_config(
        {
            "sites": {
                name: {
                    "source": "data.csv",
                    "validators": VALIDATORS,
                    "headers": {"Authorization": "Bearer ${TOKEN}"},
                    "tags": {"team": "on"},
                }
            }
        }
    )

    text = task_of(config, config.site(name))
    task = read_task(name, text)

    assert "s3cr3t" not in text
    assert task.site == task.checkpoint.name == name
    assert task.headers["Authorization"].reveal() == "Bearer s3cr3t"
    assert task.output == config.output_directory
    own = task.checkpoint.config
    assert own.tags == {"team": "on"}
    assert [str(v) for v in own.validators or []] != []
    assert task.checkpoint.validate() == []


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
WORDS = NAMES.filter(lambda text: "${" not in text)


@given(
    NAMES.filter(str.strip),
    st.dictionaries(NAMES, WORDS, max_size=3),
    st.dictionaries(NAMES.filter(lambda key: key != "<<"), WORDS, max_size=3),
    st.lists(
        st.text("ab\"'\\{}[]:,#&*!|>%@` \n", min_size=1),
        min_size=1,
        max_size=3,
        unique=True,
    ),
)
def test_any_task_arrives_as_it_was(
    name: str, headers: dict[str, str], tags: dict[str, str], columns: list[str]
) -> None:
    headers.pop("<<", None)
    rules = [{"null": {"column": column}} for column in columns]
    options = {
        "source": "data.csv",
        "headers": headers,
        "tags": tags,
        "validators": rules,
    }
    config = load_config({"sites": {name: options}})

    task = read_task(name, task_of(config, config.site(name)))

    assert (task.site, task.checkpoint.config.tags) == (name, tags)
    assert {key: value.reveal() for key, value in task.headers.items()} == headers
    own = task.checkpoint.config.validators or []
    assert own == rules


def test_task_from_a_file_is_that_from_the_executor() -> None:
    Path("c.yaml").write_text(
        "sites:\n  a:\n    source: a.csv\n"
        "    validators: [null, {range: {min: 0x10}}]\n"
    )
    config = load_config("c.yaml")

    by_file = find_task("a", "c.yaml")
    by_text = read_task("a", task_of(config, config.site("a")))

    assert by_file.output == by_text.output
    assert by_file.checkpoint.to_dict() == by_text.checkpoint.to_dict()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "{folder: x}", "{", "5", "{folder: x, output: y, site: 5}"]
)
def test_damaged_task_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="standard input"):
        read_task("a", text)


def test_sites_of_a_command_are_not_for_the_default_one() -> None:
    Path("c.yaml").write_text("command: [x]\nsites: [a]\n")

    with pytest.raises(ConfigurationError, match="its sites are run by its command"):
        find_task("a", "c.yaml")


def test_nodes_are_put_together() -> None:
    made = mapping({"a": "x", "b": node_of([1])})

    assert made.plain() == {"a": "x", "b": [1]}
