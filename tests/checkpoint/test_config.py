"""Configuration files: what they mean, and that every fault in one is said."""

from __future__ import annotations

import asyncio
import json
from datetime import date, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from truthound.checkpoint import (
    CheckpointConfig,
    find_configuration,
    load_checkpoints,
    to_async_checkpoint,
)
from truthound.checkpoint.config import scalar
from truthound.errors import ConfigurationFileError

ONE = "checkpoints: [{name: rides, data_source: rides.csv, validators: [%s]}]\n"


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text: str | bytes, name: str = "truthound.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigurationFileError) as caught:
        load_checkpoints(path)
    return caught.value.problems


def test_every_option_reaches_the_checkpoint(written):
    written("""
checkpoints:
  - name: rides
    data_source: rides.csv
    validators:
      - null
      - range: {column: fare, min: 0, max: 1e3}
      - not_null
    validator_config: {not_null: {column: id}}
    min_severity: medium
    auto_schema: false
    run_name_template: "%H"
    tags: {team: pricing, tier: 1}
    metadata: {owner: [a, b]}
    fail_on_critical: false
    fail_on_high: true
    timeout_seconds: 1.5
    sample_size: 100
    read_options: {delimiter: ";", null_values: [n/a]}
    sample_rows: 0
    id_columns: [id]
    redact: email
    allow_empty: true
    actions: []
    triggers:
""")

    (checkpoint,) = load_checkpoints()

    config = checkpoint.config
    assert checkpoint.name == "rides"
    assert str(config.data_source) == "rides.csv"
    assert config.validators == [
        "null",
        {"range": {"column": "fare", "min": 0, "max": 1000.0}},
        "not_null",
    ]
    assert config.tags == {"team": "pricing", "tier": "1"}
    assert config.metadata == {"owner": ["a", "b"]}
    assert (config.fail_on_critical, config.fail_on_high) == (False, True)
    assert (config.timeout_seconds, config.sample_size) == (1.5, 100)
    assert config.read_options == {"delimiter": ";", "null_values": ["n/a"]}
    assert (config.sample_rows, config.id_columns, config.redact) == (
        0,
        ["id"],
        "email",
    )
    assert (config.min_severity, config.allow_empty) == ("medium", True)
    assert checkpoint.validate() == []


def test_a_mapping_names_its_checkpoints(written):
    written("""
checkpoints:
  rides: {data_source: rides.csv, validators: {null: , range: {min: 0}}}
  zones: {data_source: zones.csv}
""")

    rides, zones = load_checkpoints()

    assert (rides.name, zones.name) == ("rides", "zones")
    assert rides.config.validators == [{"null": {}}, {"range": {"min": 0}}]
    assert zones.config.validators is None


def test_json_is_read_with_tabs_and_surrogates(written):
    path = written(
        '{\n\t"checkpoints": [\n\t\t{"name": "\\ud83d\\ude80 \\/", '
        '"data_source": "a.csv", "validators": ["null"]}]}',
        "truthound.json",
    )

    (checkpoint,) = load_checkpoints(path)

    assert checkpoint.name == "\N{ROCKET} /"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"checkpoints": [}', "conf.json:1:18: Expecting value"),
        ('{"checkpoints": NaN}', "conf.json:1:1: NaN is not JSON"),
        ('{"checkpoints": [], "checkpoints": []}', "conf.json:1:21: the key "),
    ],
    ids=["syntax", "constant", "duplicate"],
)
def test_faulty_json_is_refused_with_its_place(written, text, expected):
    (found,) = problems(written(text, "conf.json"))

    assert found.startswith(expected)


def test_all_faults_come_at_once_in_the_order_of_the_file(written):
    path = written("""\
checkpoints:
  - name: rides
    data_source: rides.csv
    validators:
      - rang: {column: fare}
      - range: {colum: fare, min: [1]}
      - range: {column: fare, mostly: 1.2}
      - range:
        column: fare
      - {name: range, column: fare}
    validator_config: {nul: {}}
    fail_on_high: yes
    timeout_seconds: -1
    min_severity: hgih
    sample_row: 3
    read_options: {delimiter: ";;", encodin: utf8}
    actions: [{type: slack}]
  - name: rides
    data_source: ""
  - 5
triggers: []
""")

    found = problems(path)

    places = [line.split(": ", 1)[0] for line in found]
    expected = """
        5:9 6:17 6:35 7:39 8:9 10:9 11:24 11:24 12:19 13:22 14:19 15:5 16:31 16:37
        17:22 18:11 19:18 20:5 21:1
    """
    assert places == [f"truthound.yaml:{place}" for place in expected.split()]
    text = "\n".join(found)
    for hint in ("'range'", "'column'", "'null'", "'high'", "'sample_rows'"):
        assert f"did you mean {hint}" in text
    assert "did you mean 'encoding'" in text
    assert "indent the options below 'range:'" in text
    assert "write 'range:' with its options indented below" in text
    assert "slack: the option webhook_url is missing" in text
    assert "yes, no, on and off are texts" in text


def billion_laughs() -> str:
    lines = ["x-a: &a0 [lol, lol]"]
    lines += [f"x-a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join([*lines, "checkpoints: *a11"])


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (billion_laughs(), "6:27", "aliases stand for over"),
        ("checkpoints: &a [*a]", "1:18", "*a stands inside itself"),
        ("checkpoints: [*a]", "1:15", "undefined alias"),
        (
            "checkpoints: !!python/object/apply:os.system ['touch ran']",
            "1:14",
            "the tag !!python/object/apply:os.system is not allowed",
        ),
        ("checkpoints: []\ncheckpoints: []", "2:1", "there already, in line 1"),
        ("checkpoints: []\nextra: 1", "2:1", "unknown key 'extra'"),
        ("checkpoint: []", "1:1", "did you mean 'checkpoints'"),
        ("checkpoints: 5", "1:14", "checkpoints is a list"),
        ("- name: rides", "1:1", "expected a mapping with 'checkpoints:'"),
        ("just words", "1:1", "expected a mapping with 'checkpoints:'"),
        ("checkpoints:\n\t- name: x", "2:1", "a tab cannot indent YAML"),
        ("checkpoints: [", "", "did not find expected node content"),
        ("", "1:1", "the file is empty"),
        ("# nothing\n", "1:1", "the file is empty"),
        ("---\ncheckpoints: []\n---\na: 1", "3:1", "a second document"),
        ("a: \x00", "1:4", "control characters are not allowed"),
        ("[" * 100_000, "1:51", "nested more than"),
        ("- " * 100_000 + "a", "1:101", "nested more than"),
        ("checkpoints: {[a]: 1}", "1:15", "a key is a text"),
        ("checkpoints: [{<<: 1, data_source: a}]", "1:20", "<< takes a mapping"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_hostile_file_is_refused_with_its_place(written, text, place, said):
    path = written(text)

    found = problems(path)

    if said == "undefined alias":
        said = "there is no anchor &a"
    assert any(
        line.startswith(f"truthound.yaml:{place}") and said in line for line in found
    ), found
    assert not Path("ran").exists()


def test_pure_python_parser_says_the_same(written, monkeypatch):
    path = written("checkpoints:\n  - {name: rides, data_sorce: x}\n")
    with_c = problems(path)

    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)

    assert problems(path) == with_c


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("checkpoints: ä".encode("latin-1"), ":1:14: not UTF-8: byte 0xe4"),
        ("checkpoints: []".encode("utf-16"), ":1:1: not UTF-8: byte 0xff"),
    ],
    ids=["latin-1", "utf-16"],
)
def test_file_that_is_not_utf8_is_refused(written, content, said):
    (found,) = problems(written(content))

    assert said in found


def test_byte_order_mark_is_passed_over(written):
    assert load_checkpoints(written("\ufeffcheckpoints: []")) == []


def test_missing_file_and_folder_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert problems(tmp_path / "no.yaml") == ["no.yaml: No such file or directory"]
    assert "Is a directory" in problems(tmp_path)[0]
    with pytest.raises(ConfigurationFileError, match="here or in a folder above"):
        load_checkpoints()


def test_nearest_file_upwards_is_found(written, tmp_path, monkeypatch):
    path = written("checkpoints: []")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    assert find_configuration() == path
    assert load_checkpoints() == []


def test_paths_begin_at_the_folder_of_the_file(written, tmp_path, monkeypatch):
    (tmp_path / "conf").mkdir()
    (tmp_path / "rides.csv").write_text("id\n1\n")
    path = written(ONE.replace("rides.csv", "../rides.csv") % "null", "conf/t.yaml")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    (checkpoint,) = load_checkpoints(path)
    result = checkpoint.run()

    assert result.error is None
    # As it is written, wherever it is run: baselines are kept under this name.
    assert result.data_asset == "../rides.csv"


def test_baselines_are_kept_beside_the_file(written, tmp_path, monkeypatch):
    (tmp_path / "rides.csv").write_text("id\n1\n")
    path = written(ONE % "range")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    load_checkpoints(path)[0].run()

    assert len(list((tmp_path / ".truthound" / "baselines").iterdir())) == 1


def test_missing_data_names_the_path_as_written(written):
    (checkpoint,) = load_checkpoints(written(ONE % "null"))

    result = checkpoint.run()

    assert result.status == "error"
    assert "rides.csv" in result.error
    assert str(Path.cwd()) not in result.error


def test_anchors_and_merges_are_followed(written):
    written("""
x-common: &common {sample_rows: 1, fail_on_high: true}
checkpoints:
  - {<<: *common, name: a, data_source: a.csv}
  - {name: b, data_source: b.csv, <<: [*common, {allow_empty: true}], sample_rows: 2}
""")

    a, b = load_checkpoints()

    assert (a.config.sample_rows, a.config.fail_on_high) == (1, True)
    assert (b.config.sample_rows, b.config.fail_on_high) == (2, True)
    assert b.config.allow_empty


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("12", 12),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("0x1f", 31),
        ("0123", "0123"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-31", date(2026, 1, 31)),
        ("2026-02-30", "2026-02-30"),
        ("2026-01-31T09:00", datetime(2026, 1, 31, 9)),
        ("-.inf", float("-inf")),
        ("-", "-"),
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("9" * 5000, "9" * 5000),
    ],
    ids=lambda value: str(value)[:20],
)
def test_scalar_means_what_it_seems_to(text, value):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_dates_and_words_reach_the_validators(written):
    path = written(
        ONE % "{range: {column: day, min: 2026-01-01}}, {in_set: "
        "{column: country, values: [no, se, 0123, 2026-01-01]}}"
    )

    (checkpoint,) = load_checkpoints(path)

    bounds, values = checkpoint.config.validators
    assert bounds["range"]["min"] == date(2026, 1, 1)
    assert values["in_set"]["values"] == ["no", "se", "0123", date(2026, 1, 1)]


def test_empty_validators_are_asked_about(written):
    path = written("checkpoints: [{name: a, data_source: b, validators: null}]")

    (found,) = problems(path)

    assert "write [null] for the validator of that name" in found


def test_variable_is_read_when_used_and_never_shown(written, tmp_path, monkeypatch):
    lake = tmp_path / "hidden-lake"
    lake.mkdir()
    (lake / "rides.csv").write_text("id\n1\n\n")
    path = written(
        ONE.replace("rides.csv", "'${TRUTHOUND_LAKE}/rides.csv'")
        % "row_count: {min: 1}"
    )

    monkeypatch.delenv("TRUTHOUND_LAKE", raising=False)
    (checkpoint,) = load_checkpoints(path)
    unset = checkpoint.run()
    monkeypatch.setenv("TRUTHOUND_LAKE", str(lake))
    done = asyncio.run(to_async_checkpoint(checkpoint).run_async())

    assert unset.status == "error"
    assert unset.error == (
        "truthound.yaml:1:42: the environment variable TRUTHOUND_LAKE is not set"
    )
    assert done.error is None
    for text in (
        json.dumps(done.to_dict()),
        json.dumps(checkpoint.to_dict()),
        repr(checkpoint.config),
        done.summary(),
    ):
        assert "hidden-lake" not in text
        assert "${TRUTHOUND_LAKE}/rides.csv" in text


def test_unset_variables_are_found_by_validate(written, monkeypatch):
    for name in ("TRUTHOUND_A", "TRUTHOUND_B"):
        monkeypatch.delenv(name, raising=False)
    path = written(
        "checkpoints:\n"
        "  - name: rides\n"
        "    data_source: ${TRUTHOUND_A}\n"
        "    validators:\n"
        "      - regex: {column: id, pattern: '${TRUTHOUND_B}', mostly: 0.5}\n"
    )

    (checkpoint,) = load_checkpoints(path)

    assert checkpoint.validate() == [
        "rides: truthound.yaml:3:18: the environment variable TRUTHOUND_A is not set",
        "rides: truthound.yaml:5:38: the environment variable TRUTHOUND_B is not set",
    ]


def test_missing_data_does_not_show_what_the_environment_holds(written, monkeypatch):
    monkeypatch.setenv("TRUTHOUND_LAKE", "/hidden/lake")
    (checkpoint,) = load_checkpoints(
        written(ONE.replace("rides.csv", "'${TRUTHOUND_LAKE}/rides.csv'") % "null")
    )

    result = checkpoint.run()

    assert "${TRUTHOUND_LAKE}/rides.csv" in result.error
    assert "/hidden" not in json.dumps(result.to_dict())


def test_doubled_dollar_stands_for_itself(written, tmp_path):
    (tmp_path / "${X}.csv").write_text("id\n1\n")
    (checkpoint,) = load_checkpoints(
        written(ONE.replace("rides.csv", "'$${X}.csv'") % "null")
    )

    assert checkpoint.run().error is None


def test_variable_in_a_name_is_needed_at_once(written, monkeypatch):
    monkeypatch.delenv("TRUTHOUND_TEAM", raising=False)
    path = written(
        "checkpoints: [{name: a, data_source: b, tags: {team: '${TRUTHOUND_TEAM}'}}]"
    )

    (found,) = problems(path)
    monkeypatch.setenv("TRUTHOUND_TEAM", "pricing")

    assert "the environment variable TRUTHOUND_TEAM is not set" in found
    assert load_checkpoints(path)[0].config.tags == {"team": "pricing"}


def test_unnamed_checkpoint_has_the_default_name(written):
    (checkpoint,) = load_checkpoints(written("checkpoints: [{data_source: a.csv}]"))

    assert checkpoint.name == CheckpointConfig().name


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.text(max_size=8),
    st.sampled_from(["null", "range", "${HOME}", "${", "*", "a.csv", "high"]),
)
KEYS = st.sampled_from(
    [
        *CheckpointConfig.__dataclass_fields__,
        *("actions", "triggers", "nmae", "range", "column", "min", "delimiter"),
        *("source", "read_options", "reference"),
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES | st.fixed_dictionaries({"checkpoints": VALUES | st.lists(VALUES)}))
def test_any_content_is_read_or_refused_with_a_place(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "t.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    try:
        load_checkpoints(path)
    except ConfigurationFileError as error:
        assert all(line.startswith(f"{path}:") for line in error.problems)


@given(st.text(max_size=40) | st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("fuzz")
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    for name in ("t.yaml", "t.json"):
        (folder / name).write_bytes(raw)

        with pytest.raises(ConfigurationFileError):
            load_checkpoints(folder / name)
