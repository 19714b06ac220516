"""What each command prints and writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from truthound.checkpoint import load_checkpoints
from truthound.cli import call

RIDES = "id,kind,fare\n1,card,12.5\n2,,3\n3,cash,-1\n3,card,950\n"


@pytest.fixture(autouse=True)
def rides(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    Path("rides.csv").write_text(RIDES)
    return tmp_path


@pytest.fixture
def run(capfd):
    def run(*arguments: str) -> tuple[int, str, str]:
        code = call(arguments)
        out, err = capfd.readouterr()
        return int(code), out, err

    return run


def test_check_prints_what_fails_and_where(run):
    code, out, err = run("check", "rides.csv", "-V", "null,range:fare:0..500")

    assert (code, err) == (1, "")
    assert "null(kind)  high  1 of 4 rows" in out
    assert "range(fare)" in out
    assert "-1" in out
    assert "950" in out
    assert "2 checks passed" in out


def test_check_takes_the_default_validators(run):
    code, out, _ = run("check", "rides.csv", "-v")

    assert code == 1
    for name in ("null(id)", "null(fare)", "blank(kind)", "duplicate"):
        assert name in out


def test_sample_rows_id_columns_and_redaction_reach_the_report(run):
    arguments = ("check", "rides.csv", "-V", "range:fare:0..500")

    _, shown, _ = run(*arguments, "--id-column", "kind", "--redact", "ki*")
    _, none, _ = run(*arguments, "--sample-rows", "0")

    assert "***" in shown
    assert "cash" not in shown
    assert "950.0" in none  # as the largest value seen
    assert "row   fare" not in none


def test_where_restricts_the_rows(run):
    assert run("check", "rides.csv", "-V", "null", "--where", "id <> 2")[0] == 0
    assert run("check", "rides.csv", "--where", "id = 1")[0] == 0
    assert run("check", "rides.csv", "--where", "id = 2")[0] == 1


def test_reading_options_reach_the_reader(run):
    Path("odd.txt").write_bytes("1;n/a\n2;é\n".encode("latin-1"))

    code, out, _ = run(
        *("check", "odd.txt", "-V", "null", "--input-format", "csv", "--no-header"),
        *("--delimiter", ";", "--null-value", "n/a", "--encoding", "latin-1"),
        *("--column-name", "id", "--column-name", "name"),
        *("--schema-override", "id=string", "--strict", "--sample-size", "10"),
    )

    assert code == 1
    assert "null(name)  high  1 of 2 rows" in out


def test_explain_runs_nothing(run):
    code, out, _ = run("check", "rides.csv", "-V", "range:fare", "--explain")

    assert code == 0
    assert "in 1 select" in out
    assert not Path(".truthound").exists()


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("out.json", "{"),
        ("out.jsonl", "{"),
        ("out.xml", "<?xml"),
        ("out.md", "#"),
        ("out.html", "<!"),
        ("out.txt", "!"),
    ],
)
def test_format_goes_by_the_name_of_the_file(run, name, begins):
    code, out, err = run("check", "rides.csv", "-V", "null", "-o", name)

    assert (code, out) == (1, "")
    assert err.splitlines()[0] == f"wrote {name}"
    assert "check: warning: 2 of 3 checks passed" in err
    assert Path(name).read_text(encoding="utf-8").lstrip().startswith(begins)


def test_page_has_pictures_of_the_columns_that_are_not_redacted(run):
    Path("rides.csv").write_text(
        "fare,secret\n" + "1.5,471147110\n2.5,471147119\n" * 20
    )

    run("check", "rides.csv", "-o", "out.html", "--redact", "secret")

    page = Path("out.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "4711471" not in page  # fewer digits may stand in the time or the run's id


def test_machine_formats_are_printed_even_if_quiet(run):
    code, out, _ = run("check", "rides.csv", "-V", "null", "-q", "-f", "json")

    assert code == 1
    assert json.loads(out)


def test_verbose_lists_what_passed(run):
    _, brief, _ = run("check", "rides.csv", "-V", "null")
    _, full, _ = run("check", "rides.csv", "-V", "null", "-v")

    assert "null(id)" not in brief
    assert "null(id)" in full


def test_results_stand_in_the_order_of_the_configuration(run):
    names = [f"c{n}" for n in range(9)]
    Path("truthound.yaml").write_text(
        yaml.safe_dump(
            {
                "checkpoints": [
                    {"name": name, "data_source": "rides.csv", "validators": ["unique"]}
                    | {"validators": [{"null": {"column": "id"}}]}
                    for name in names
                ]
            }
        )
    )

    code, out, _ = run("check")

    heads = [line.split()[1] for line in out.splitlines() if line.startswith("✔")]
    assert code == 0
    assert heads == names


def test_failing_rows_are_written_with_their_checks(run):
    code, _, err = run(
        *("check", "rides.csv", "-V", "range:fare:0..500,unique:id"),
        *("--failed-rows", "bad.csv", "-f", "github"),
    )

    with open("bad.csv", newline="") as file:  # noqa: PTH123
        rows = list(csv.DictReader(file))
    assert code == 1
    assert "wrote 2 failing rows to bad.csv" in err
    assert [(row["_row"], row["_failed_checks"], row["fare"]) for row in rows] == [
        ("3", "range(fare); unique(id)", "-1.0"),
        ("4", "range(fare); unique(id)", "950.0"),
    ]


def test_failing_rows_of_a_configured_checkpoint_go_to_parquet(run):
    Path("truthound.yaml").write_text(
        "checkpoints: [{name: a, data_source: rides.csv, validators: [null]}]\n"
    )

    run("check", "--failed-rows", "bad.parquet", "-q")

    assert pl.read_parquet("bad.parquet")["id"].to_list() == [2]


def test_failing_rows_of_what_cannot_be_read_are_not_written(run):
    code, _, err = run("check", "no.csv", "--failed-rows", "bad.csv", "-q")

    assert code == 3
    assert "bad.csv is not written" in err
    assert not Path("bad.csv").exists()


def test_list_shows_the_checkpoints(run):
    Path("truthound.yaml").write_text(
        "checkpoints:\n"
        "  - name: a\n"
        "    data_source: ${TRUTHOUND_NO_SUCH}/x.csv\n"
        "    validators: [range: {column: fare, max: 1}]\n"
        "    tags: {team: b}\n"
    )

    code, out, _ = run("checkpoint", "list")

    assert code == 0
    assert out.splitlines()[1].split() == [
        "a",
        "${TRUTHOUND_NO_SUCH}/x.csv",
        "range",
        "team=b",
    ]


def test_escape_sequences_do_not_reach_the_terminal(run):
    Path("truthound.yaml").write_text(
        'checkpoints: [{name: "a\\e[31m", data_source: rides.csv}]\n'
    )

    _, listed, _ = run("checkpoint", "list")
    _, out, err = run("check", "a\x1b[31m.csv", "-q")

    assert "\x1b" not in listed + out + err


def test_profile_describes_each_column(run):
    code, table, _ = run("profile", "rides.csv")
    _, out, _ = run("profile", "rides.csv", "-f", "json", "--column", "fare")

    assert code == 0
    for name in ("id", "kind", "fare"):
        assert name in table
    columns = json.loads(out)["columns"]
    assert [column["name"] for column in columns] == ["fare"]
    assert columns[0]["max"] == 950


def test_profile_suggests_validators_that_the_data_passes(run):
    code, _, err = run(
        "profile", "rides.csv", "--suggest", "truthound.yaml", "-o", "p.md"
    )

    assert code == 0
    assert err.splitlines() == ["wrote p.md", "wrote truthound.yaml"]
    assert run("check", "-q")[0] == 0
    assert run("profile", "rides.csv", "--suggest", "truthound.yaml")[0] == 2


def test_init_writes_a_configuration_that_passes(run):
    (Path("data") / "a").mkdir(parents=True)
    Path("data", "people.csv").write_text(
        'id;"näme \N{ROCKET} \\u00e4"\n' + "1;\N{ROCKET}\n" * 30 + "2;NA\n"
    )
    Path("data", "zones.ndjson").write_text('{"zone": 1}\n{"zone": 2}\n')

    code, _, err = run("init", "rides.csv", "-o", "conf.yaml")
    assert (code, err) == (0, "wrote conf.yaml\n")
    code, _, err = run(
        *("init", "data/people.csv", "--delimiter", ";", "--null-value", "NA")
    )

    assert (code, err) == (0, "wrote truthound.yaml\n")
    (people,) = load_checkpoints()
    assert people.config.read_options == {"delimiter": ";", "null_values": ["NA"]}
    assert run("check", "-q") == (0, "", "")
    assert run("check", "-c", "conf.yaml", "-q") == (0, "", "")


def test_init_takes_the_data_files_of_a_folder(run):
    Path("zones.ndjson").write_text('{"zone": 1}\n{"zone": 2}\n')
    Path("notes.txt").write_text("no data")
    Path("rides.parquet").write_bytes(b"")
    pl.DataFrame({"id": [1]}).write_parquet("rides.parquet")

    assert run("init")[0] == 0

    assert [c.name for c in load_checkpoints()] == ["rides", "rides_2", "zones"]
    assert run("check", "-q")[0] == 0


def test_init_never_replaces_a_file_unless_told(run):
    Path("truthound.yaml").write_text("mine")

    code, _, err = run("init", "rides.csv")
    assert code == 2
    assert "truthound.yaml is there already (--force replaces it)" in err
    assert Path("truthound.yaml").read_text() == "mine"

    assert run("init", "rides.csv", "--force")[0] == 0
    assert load_checkpoints()


def test_init_without_data_writes_an_example(run):
    Path("empty").mkdir()

    assert run("init", "-o", "empty/truthound.yaml", "no.csv")[0] == 3
    assert not Path("empty/truthound.yaml").exists()

    Path("rides.csv").unlink()
    assert run("init")[0] == 0
    assert load_checkpoints() == []
    assert run("check")[0] == 5


def test_paths_in_a_configuration_begin_at_its_folder(run):
    Path("conf").mkdir()

    assert run("checkpoint", "init", "rides.csv", "-o", "conf/t.yaml")[0] == 0

    (rides,) = load_checkpoints("conf/t.yaml")
    assert str(rides.config.data_source) == "../rides.csv"
    assert run("check", "-c", "conf/t.yaml", "-q")[0] == 0


def test_schema_file_is_taken_by_the_validator(run):
    assert run("schema", "rides.csv", "-o", "schema.yaml")[0] == 0
    assert run("schema", "rides.csv", "-o", "schema.json")[0] == 0
    Path("truthound.yaml").write_text(
        "checkpoints:\n"
        "  - {name: a, data_source: rides.csv, schema: schema.yaml, validators: []}\n"
        "  - name: b\n"
        "    data_source: rides.csv\n"
        "    validators: [schema: {schema: schema.json}]\n"
    )

    assert run("check", "-q") == (0, "", "")

    Path("rides.csv").write_text(RIDES.replace("kind", "sort"))
    assert run("check", "-q")[0] == 1


def test_validate_counts_checkpoints(run):
    Path("truthound.yaml").write_text(
        "checkpoints: [{name: a, data_source: x.csv, validators: [null]}]\n"
    )

    assert run("validate") == (0, "OK, 1 checkpoint\n", "")
    assert run("checkpoint", "validate", "-q") == (0, "", "")


@pytest.fixture
def learning(run):
    Path("truthound.yaml").write_text(
        "checkpoints:\n"
        "  - {name: a, data_source: rides.csv, validators: [range: {column: fare}]}\n"
        "  - {name: b, data_source: rides.csv, validators: [null: {column: id}]}\n"
    )
    assert run("check", "-q")[0] == 0


def shown(run, *arguments: str) -> list[dict]:
    code, out, _ = run("baseline", "show", "-f", "json", *arguments)
    assert code == 0
    return json.loads(out)


def test_baseline_is_shown_as_text_and_json(run, learning):
    _, text, _ = run("baseline", "show", "a")

    (baseline,) = shown(run)
    assert (baseline["checkpoint"], baseline["source"]) == ("a", "rides.csv")
    assert baseline["values"]["range:fare"] == {"min": -1.0, "max": 950.0}
    assert "range:fare  min -1.0, max 950.0" in text
    assert shown(run, "a", "--source", "other.csv") == []
    assert run("baseline", "show", "c")[0] == 2


def test_bad_run_changes_no_baseline_and_accept_does(run, learning):
    Path("rides.csv").write_text("id,kind,fare\n1,a,5000\n")
    before = shown(run)

    assert run("check", "-q")[0] == 1
    assert shown(run) == before

    code, out, _ = run("baseline", "accept")

    assert code == 0
    assert out.splitlines() == [
        "a: learned 1 value of rides.csv",
        "b: has no validator that learns",
    ]
    assert shown(run)[0]["values"]["range:fare"] == {"min": 5000, "max": 5000}
    assert run("check", "-q")[0] == 0


def test_accept_keeps_what_was_known_if_the_data_is_gone(run, learning):
    before = shown(run)
    Path("rides.csv").unlink()

    code, _, err = run("baseline", "accept", "a")

    assert code == 3
    assert "a: nothing was learned" in err
    assert shown(run) == before


def test_reset_forgets_and_the_next_run_learns(run, learning):
    assert run("baseline", "reset", "a")[0] == 0
    assert shown(run) == []

    assert run("check", "-q")[0] == 0
    assert len(shown(run)) == 1
    assert run("baseline", "reset", "--all")[0] == 0
    assert run("baseline", "reset", "--all")[0] == 5
    assert run("baseline", "reset")[0] == 2
    assert run("baseline", "reset", "a", "--all")[0] == 2


def test_damaged_baseline_is_an_error_that_names_the_file(run, learning):
    (file,) = Path(".truthound/baselines").iterdir()
    file.write_text("{")

    code, _, err = run("check", "-q")

    assert code == 3
    assert file.name in err
    assert run("baseline", "show")[0] == 3
