"""The commands that look back, over stores that real runs have written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.shell import call


@pytest.fixture
def recorded():
    Path("truthound.yaml").write_text("checkpoints: []\n", encoding="utf-8")
    for rows in ("1,a\n2,b\n", "1,a\n1,\n3,c\n"):
        Path("t.csv").write_text(f"id,name\n{rows}", encoding="utf-8")
        words = ("-V", "null,unique:id", "--name", "t", "--fail-on", "never", "-q")
        assert call("check", "t.csv", *words).returncode == 0


COMMANDS = [
    ("history",),
    ("show",),
    ("diff", "t~1", "t"),
    ("trend", "unique(id)"),
    ("prune", "--keep", "1"),
    ("outbox", "list"),
    ("outbox", "drop", "--all"),
    ("store", "check"),
    ("store", "repair"),
    ("store", "info"),
    ("store", "upgrade"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_nothing_is_recorded_yet_and_no_file_is_made(words):
    done = call(*words)

    assert done.returncode == 5
    assert "nothing is recorded yet in .truthound/truthound.db" in done.stderr
    assert not Path(".truthound").exists()


def test_commands_tell_what_was(recorded):
    listed = json.loads(call("history", "t", "-f", "json").stdout)
    assert [run["row_count"] for run in listed] == [3, 2]
    table = call("history").stdout
    assert "unique(id)" in table
    assert max(map(len, table.splitlines())) <= 80
    shown = call("show", "t").stdout
    assert "2 of 3 rows" in shown
    assert listed[0]["run_id"] in shown
    assert "unique(id)  began to fail" in call("diff", "t~1", "t").stdout
    assert "▁█" in call("trend", "unique(id)", env={"PYTHONUTF8": "1"}).stdout
    assert call("store", "check").returncode == 0
    assert "owner    " in shown
    assert call("outbox", "list").returncode == 5
    assert "removed 1 run" in call("prune", "--keep", "1").stdout


def test_blocks_are_ascii_where_nothing_else_can_be_said(recorded):
    done = call("trend", "unique(id)", env={"PYTHONIOENCODING": "ascii:replace"})

    assert "_#" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("history", "--since", "soon"), 2, "a moment is like"),
        (("history", "x"), 2, "there is no run of a checkpoint 'x'"),
        (("history", "--status", "error"), 5, "no run is selected"),
        (("history", "--export", "runs.txt"), 2, "runs are exported as"),
        (("show", "nothing"), 2, "there is no run"),
        (("trend", "unique(ix)"), 2, "did you mean 'unique(id)'"),
        (("prune",), 2, "--older-than"),
        (("prune", "--older-than", "9"), 2, "a span of time is like"),
        (("outbox", "drop"), 2, "name RUN"),
    ],
)
def test_wrong_call_says_what_is_wrong(recorded, words, code, said):
    done = call(*words)

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_damage_is_told_and_repaired(recorded):
    path = Path(".truthound/truthound.db")
    content = path.read_bytes()
    path.write_bytes(bytes(4096) + content[4096:])

    damaged = call("history")
    assert damaged.returncode == 3
    assert "truthound store repair" in damaged.stderr
    assert call("store", "check").returncode == 3
    assert call("store", "repair").returncode == 0
    assert len(json.loads(call("history", "-f", "json").stdout)) == 2
