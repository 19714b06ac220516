from __future__ import annotations

import csv
import io
import json
import random
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.sites import (
    OUTPUT,
    configure,
    files,
    matrix,
    run,
    schema,
    sites_of_matrix,
    write_csv,
)
from cli.shell import environment
from needs import chromium
from truthound.automation import _matrix
from truthound.automation._matrix import Matrix
from truthound.automation._matrix_page import matrix_page
from truthound.automation._schema import (
    SiteSchema,
    path_of,
    percent,
    read_schema,
    schema_of,
    write,
)
from truthound.automation._status import read_status
from truthound.checkpoint import Checkpoint
from truthound.profile import outline

RESULT = Checkpoint("any", data_source={"a": [1]}, validators=["null"]).run()


def seen(site, data, before=None):
    """Return the schema of data in memory."""
    found = outline(data if isinstance(data, pl.DataFrame) else pl.DataFrame(data))
    return schema_of(site, RESULT, found, before.columns if before else None)


def drift_between(before, after):
    found = seen("s", after, seen("s", before))
    words = {field.name: list(field.drift) for field in found.columns if field.drift}
    return words | {name: ["gone"] for name in found.gone}


COLUMNS = st.dictionaries(
    st.sampled_from("abcd"),
    st.one_of(
        st.lists(st.one_of(st.none(), kind), min_size=40, max_size=40)
        for kind in (st.integers(0, 30), st.sampled_from("xyz"), st.booleans())
    ),
    min_size=1,
)


@given(COLUMNS, COLUMNS)
def test_drift_against_a_plain_rule(before, after):
    found = drift_between(before, after)

    expected = {}
    for name in {*before, *after}:
        words = _plain_drift(before.get(name), after.get(name))
        if words:
            expected[name] = words
    assert found == expected


def _plain_drift(before, after):
    if after is None:
        return ["gone"]
    if before is None:
        return ["new"]
    names = {int: "int64", str: "string", bool: "boolean"}
    old, new = ([v for v in some if v is not None] for some in (before, after))
    words = []
    if old and new and type(old[0]) is not type(new[0]):
        words.append(f"{names[type(old[0])]} -> {names[type(new[0])]}")
    shares = [before.count(None) / 40, after.count(None) / 40]
    if abs(before.count(None) - after.count(None)) >= 2:
        words.append("null share {} -> {}".format(*map(percent, shares)))
    few, many = sorted((len(set(old)), len(set(new))))
    # Polars does not count the values of a column that has none of any type.
    are_counted = before.count(None) < 40 > after.count(None)
    if are_counted and many - few >= 10 and many >= 2 * few:
        words.append(f"distinct {len(set(old))} -> {len(set(new))}")
    return words


@given(COLUMNS)
def test_same_data_does_not_drift(columns):
    assert drift_between(columns, columns) == {}


def test_type_is_compared_across_a_run_without_values():
    first = seen("s", {"a": [1, 2]})
    empty = seen("s", {"a": pl.Series([None, None], dtype=pl.String)}, first)
    back = seen("s", {"a": [3]}, empty)
    other = seen("s", {"a": ["x"]}, empty)

    assert empty.reasons == back.reasons == []
    assert other.reasons == ["the type of a has changed: int64 -> string"]


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "0 %"),
        (1e-9, "< 0.1 %"),
        (0.01, "1 %"),
        (0.3333, "33.3 %"),
        (0.99999, "> 99.9 %"),
        (1, "100 %"),
    ],
)
def test_share_in_words(share, said):
    assert percent(share) == said


def test_schema_file_round_trip(tmp_path):
    found = seen("nörd", {"a": [1], "b": ["x"]}, seen("nörd", {"c": [1]}))
    path = path_of(tmp_path, "nörd")

    write(path, found.encoded())

    assert read_schema(path) == (found, path.read_bytes())
    assert found.compared_with is not None
    assert found.settled().compared_with is None


def test_matrix_of_two_sites():
    configure(north={"source": "n.csv"}, south={"source": "s.csv"})
    write_csv("n.csv", id=[1, 2], fare=[1.5, None])
    write_csv("s.csv", id=["a", "b"], tip=[1, 1], fare=[1.5, 2.5])

    assert (run("south"), run("north")) == (0, 0)

    found = matrix()
    assert [entry["site"] for entry in found["sites"]] == ["north", "south"]
    assert [entry["field"] for entry in found["fields"]] == ["id", "tip", "fare"]
    identity, tip, fare = found["fields"]
    assert (identity["usual_type"], tip["usual_type"]) == (None, "int64")
    assert set(tip["sites"]) == {"south"}
    assert fare["sites"]["north"] == {
        "type": "float64",
        "null_share": 0.5,
        "distinct": 1,
        "drift": [],
    }
    rows = [*csv.reader(io.StringIO((OUTPUT / "schema_matrix.csv").read_text()))]
    assert rows[0][:3] == ["field", "north: type", "north: null share"]
    assert rows[2] == ["tip", "", "", "", "", "int64", "0.0", "1", ""]


def test_usual_type_is_that_of_most_sites():
    several = [seen(name, {"a": [1]}) for name in "xy"] + [seen("z", {"a": ["1"]})]

    assert Matrix.of(several).usual_type("a") == "int64"
    assert Matrix.of(several[1:]).usual_type("a") is None
    page = matrix_page(Matrix.of(several))
    assert page.count('<td class="differs"><b>≠ string</b>') == 1
    assert matrix_page(Matrix.of(several[1:])).count('<td class="differs">') == 2


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd|'/c calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1+1",
    " =1",
    "＝1+1",
    "\x1b[31mred",
    "\u202egnp",
    "a\r\n=1",
    "\0",
    "",
    "javascript:alert(1)",
]


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = set()
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.found.add((tag, *(name for name, _ in attrs)))

    def handle_data(self, data):
        self.text += data


def hostile():
    data = pl.DataFrame({name: [1] for name in HOSTILE})
    other = pl.DataFrame({name: ["x"] for name in HOSTILE[1:]})
    names = [name for name in HOSTILE if name and "\0" not in name]
    return Matrix.of(seen(n, other, seen(n, data)) for n in names)


def test_page_holds_names_as_text():
    page = matrix_page(hostile())

    parser = Elements()
    parser.feed(page)
    assert {element[0] for element in parser.found} == {
        *("html", "head", "meta", "title", "style", "body", "header", "h1", "p"),
        *("span", "div", "table", "thead", "tr", "th", "tbody", "td", "b", "small"),
        "footer",
    }
    attributes = {name for _, *names in parser.found for name in names}
    assert attributes <= {
        *("lang", "charset", "http-equiv", "content", "name", "class", "scope"),
        "tabindex",
    }
    assert "default-src 'none'; style-src 'sha256-" in page
    assert "<script>alert(1)</script>" in parser.text
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", page)


def test_sheet_holds_no_formula():
    text = hostile().as_csv()

    rows = [*csv.reader(io.StringIO(text, newline=""))]
    assert len(rows) == len(HOSTILE) + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    for cell in (cell for row in rows for cell in row):
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝"))
        assert not re.search("[\x00-\x1f\u202e]", cell)
    assert "'=cmd|'/c calc'!A0" in [row[0] for row in rows]


def test_page_is_drawn_by_a_browser(tmp_path):
    page = tmp_path / "matrix.html"
    page.write_text(matrix_page(hostile()))

    done = subprocess.run(
        [
            *(chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *(f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=25,
        check=True,
    )

    assert "Schema matrix" in done.stdout
    assert "<script" not in done.stdout
    assert "Refused to" not in done.stderr


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"site": "south"}',
        b"null",
        SiteSchema(
            site="west", run_id="", run_time="", source="", row_count=0, columns=()
        ).encoded(),
    ],
    ids=["empty", "cut", "list", "no text", "too little", "null", "of another"],
)
def test_damaged_schema_is_left_out(content, capsys):
    configure(north={"source": "n.csv"})
    write_csv("n.csv", id=[1])
    (OUTPUT / "schema").mkdir(parents=True)
    (OUTPUT / "schema/south.json").write_bytes(content)
    (OUTPUT / "schema/notes.txt").write_text("not ours")

    assert run() == 0

    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "schema/south.json is damaged" in err
    assert "left out of the schema matrix" in err
    assert sites_of_matrix() == {"north"}


def test_schema_that_is_in_already_is_not_written_again(monkeypatch):
    configure(north={"source": "n.csv"}, south={"source": "n.csv"})
    write_csv("n.csv", id=[1])
    assert (run("north"), run("south")) == (0, 0)
    page = OUTPUT / "schema_matrix.html"
    before = page.stat().st_ino
    content = path_of(OUTPUT, "north").read_bytes()

    assert _matrix.update(OUTPUT, content) == []
    assert page.stat().st_ino == before
    page.unlink()
    assert _matrix.update(OUTPUT, content) == []
    assert page.exists()
    before = page.stat().st_ino
    assert _matrix.update(OUTPUT, b"another") == []
    assert page.stat().st_ino != before


def test_list_that_was_cut_off_leads_to_a_new_matrix():
    configure(north={"source": "n.csv"})
    write_csv("n.csv", id=[1])
    assert run("north") == 0
    lock = OUTPUT / ".schema_matrix.lock"
    lock.write_bytes(lock.read_bytes()[:-1])  # its last line's end
    page = OUTPUT / "schema_matrix.html"
    before = page.stat().st_ino

    _matrix.update(OUTPUT, path_of(OUTPUT, "north").read_bytes())

    assert page.stat().st_ino != before


def test_file_of_one_who_was_killed_is_taken_away():
    configure(north={"source": "n.csv"})
    write_csv("n.csv", id=[1])
    OUTPUT.mkdir(parents=True)
    (OUTPUT / ".schema_matrix.html.0a1b2c3d.tmp").write_text("half")

    assert run() == 0
    assert not [*OUTPUT.glob(".*.tmp")]


# Python 3.12 warns of a fork beside the threads of the engine's allocator.
IGNORED = ["-W", "ignore::DeprecationWarning"]
# Forks a process for each site, as the executor does, and kills some of them.
MANY = """\
import json, os, random, signal, sys, time
from truthound.automation import site

site.prepare()
seed, sites, killed = json.loads(sys.argv[1])
random.seed(seed)
running = {}
for name in sites:
    pid = os.fork()
    if pid == 0:
        log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1), os.dup2(log, 2)
        options = ["-c", "c.yaml", "--schema-matrix", "--emit-status"]
        os._exit(site.main([f"--site={name}", *options]))
    running[pid] = name
    if len(killed) and random.random() < 0.3:
        time.sleep(random.random() / 30)
for pid, name in running.items():
    if name in killed:
        time.sleep(random.random() / 20)
        os.kill(pid, signal.SIGKILL)
codes = {}
for _ in running:
    pid, status = os.wait()
    codes[running[pid]] = os.waitstatus_to_exitcode(status)
print(json.dumps(codes))
"""


def many(seed, sites, killed=()):
    done = subprocess.run(
        [sys.executable, *IGNORED, "-c", MANY, json.dumps([seed, sites, list(killed)])],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.timeout(120)
def test_matrix_holds_all_sites_that_end_at_once():
    names = [f"site{n:02}" for n in range(30)]
    configure(**{name: {"source": f"{name}.csv"} for name in names})
    for n, name in enumerate(names):
        write_csv(f"{name}.csv", id=[1, 2], **{f"own{n}": ["x", "y"]})

    assert many(1, names) == dict.fromkeys(names, 0)

    assert sites_of_matrix() == set(names)
    assert len(matrix()["fields"]) == 31
    assert all(f"own{n}" in (OUTPUT / "schema_matrix.html").read_text() for n in (0, 9))
    assert len(files()) == 2 * len(names) + 3


@pytest.mark.timeout(180)
def test_processes_that_are_killed_leave_whole_files():
    names = [f"site{n:02}" for n in range(20)]
    configure(**{name: {"source": "n.csv"} for name in names})
    write_csv("n.csv", id=[1, 2])
    for seed in range(3):
        killed = random.Random(seed).sample(names, 10)
        codes = many(seed, names, killed)
        done = {name for name, code in codes.items() if code == 0}
        assert {*codes.values()} <= {0, -signal.SIGKILL}
        assert done >= {*names} - {*killed}
        assert sites_of_matrix() >= done
        for path in (OUTPUT / "status").glob("[!.]*.json"):
            read_status(path)
        for path in (OUTPUT / "schema").glob("[!.]*.json"):
            read_schema(path)
        page = (OUTPUT / "schema_matrix.html").read_text()
        assert page.endswith("</html>\n")

    assert many(9, names) == dict.fromkeys(names, 0)
    assert sites_of_matrix() == set(names)
    assert schema("site00")["row_count"] == 2
    assert Path("log").exists()
