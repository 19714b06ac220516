from __future__ import annotations

import fcntl
import io
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
import pytest

import webserver
from automation.sites import (
    ALL,
    OUTPUT,
    answering,
    command,
    configure,
    drift,
    files,
    left_in,
    run,
    schema,
    sites_of_matrix,
    start,
    status,
    write_csv,
)
from cli.shell import environment
from scripted_server import free_port
from truthound.automation import _task
from truthound.automation.config import load_config
from truthound.automation.site import main

EVERY_FILE = {
    "status/north.json",
    "schema/north.json",
    "schema_matrix.json",
    "schema_matrix.csv",
    "schema_matrix.html",
}


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert left_in(folder) == []


@pytest.mark.parametrize(
    ("validators", "code", "health", "completed"),
    [
        ([], 0, "healthy", True),
        ([{"range": {"column": "fare", "min": 0}}], 0, "healthy", True),
        ([{"range": {"column": "fare", "max": 3}}], 1, "degraded", True),
        ([{"range": {"column": "fare", "max": 1}}], 1, "failed", True),
        ([{"range": {"column": "fair", "max": 1}}], 3, "failed", False),
    ],
    ids=["no checks", "success", "warning", "failure", "error"],
)
def test_status_and_exit_code_follow_the_run(
    validators, code, health, completed, capsys
):
    write_csv("rides.csv", fare=[1, 2, 3, 4])
    configure(north={"source": "rides.csv", "validators": validators})

    assert run() == code

    found = status()
    assert (found["status"], found["completed"]) == (health, completed)
    assert (found["exit_code"], found["row_count"]) == (code, 4)
    assert bool(found["reasons"]) == (code != 0)
    out, err = capsys.readouterr()
    assert f"\nnorth: {health}, 4 rows, 1 column\n" in f"\n{out}"
    assert err == ""


def test_site_without_validators_has_no_checks():
    write_csv("rides.csv", fare=[1, None], tip=[2, None])
    configure(north={"source": "rides.csv"})

    assert run() == 0
    assert status()["statistics"]["total_checks"] == 0


def test_empty_table_is_an_issue():
    Path("rides.csv").write_text("fare\n")
    configure(north={"source": "rides.csv"})

    assert run() == 1
    assert "no rows" in status()["reasons"][0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (ALL, EVERY_FILE),
        (("--emit-status",), {"status/north.json"}),
        (("--schema-matrix",), EVERY_FILE - {"status/north.json"}),
    ],
    ids=["both", "status", "matrix"],
)
def test_what_is_written_is_what_was_asked_for(options, expected):
    write_csv("rides.csv", fare=[1])
    configure(north={"source": "rides.csv"})

    assert run("north", *options) == 0
    assert files() == expected


def test_nothing_is_written_unless_asked_for():
    write_csv("rides.csv", fare=[1])
    configure(north={"source": "rides.csv"})

    assert main(["--site=north", "-c", "c.yaml"]) == 0
    assert not OUTPUT.exists()


def test_task_from_standard_input(monkeypatch):
    write_csv("rides.csv", fare=[1])
    config = load_config({"sites": {"north": {"source": "rides.csv"}}})
    task = _task.task_of(config, config.site("north"))
    monkeypatch.setenv(_task.VARIABLE, "-")

    assert main(["--site=north", *ALL], io.StringIO(task)) == 0
    assert status()["source"] == "rides.csv"


def test_task_from_the_standard_input_of_a_process():
    write_csv("fährten.csv", fare=[1])
    config = load_config({"sites": {"nörd": {"source": "fährten.csv"}}})
    task = _task.task_of(config, config.site("nörd"))

    done = subprocess.run(
        [sys.executable, "-m", "truthound.automation.site", "--site=nörd", *ALL],
        env=environment(TRUTHOUND_PIPELINE_CONFIG="-", PYTHONIOENCODING="ascii"),
        input=task.encode(),
        capture_output=True,
        timeout=25,
        check=False,
    )

    assert done.returncode == 0
    assert b"\nn\\xf6rd: healthy" in done.stdout


@pytest.mark.parametrize(
    "given", [b"", b"{", b"{folder: /}", b"\xff"], ids=["empty", "cut", "part", "bytes"]
)
def test_standard_input_that_is_no_task_is_2(given):
    done = subprocess.run(
        [sys.executable, "-m", "truthound.automation.site", "--site=north", *ALL],
        env=environment(TRUTHOUND_PIPELINE_CONFIG="-"),
        input=given,
        capture_output=True,
        timeout=25,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"standard input" in done.stderr


def test_sample_is_what_the_schema_is_of():
    write_csv("rides.csv", fare=range(100))
    configure(north={"source": "rides.csv", "sample_size": 10})

    assert run() == 0
    assert schema()["row_count"] == status()["row_count"] == 10


def test_option_wins_over_the_variable(monkeypatch):
    write_csv("rides.csv", fare=[1])
    configure(north={"source": "rides.csv"})
    monkeypatch.setenv(_task.VARIABLE, "nowhere.yaml")

    assert run() == 0
    assert main(["--site=north"]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: --site"),
        (["--site=north", "--emit"], "unrecognized arguments: --emit"),
        (["--site=nort", "-c", "c.yaml"], "did you mean 'north'"),
        (["--site=", "-c", "c.yaml"], "name is empty"),
        (["--site=north", "-c", "nowhere.yaml"], "nowhere.yaml"),
        (["--site=north", "-c", "wrong.yaml"], "wrong.yaml:2:3: unknown key 'sitse'"),
    ],
    ids=["no site", "abbreviated", "unknown", "empty", "no file", "wrong file"],
)
def test_wrong_usage_and_configuration_is_2(arguments, said, capsys):
    configure(north={"source": "rides.csv"})
    Path("wrong.yaml").write_text("pipeline:\n  sitse: {}\n")

    assert main(arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        {"source": "${RIDES}/rides.csv"},
        {"source": "http://h/r.csv", "headers": {"A": "Bearer ${RIDES}"}},
        {"source": "rides.csv", "validators": [{"max": {"column": "a", "max": 1}}]}
        | {"read_options": {"null_values": "${RIDES}"}},
        {"source": "rides.csv", "validators": [{"regex": {"pattern": "${RIDES}"}}]},
    ],
    ids=["source", "header", "reading", "validator"],
)
def test_variable_that_is_not_set_is_2(options, capsys):
    write_csv("rides.csv", fare=[1])
    configure(north=options)

    assert run() == 2
    assert "RIDES is not set" in capsys.readouterr().err
    assert status()["status"] == "failed"
    assert status()["exit_code"] == 2
    assert files() == {"status/north.json"}


@pytest.mark.parametrize(
    "options",
    [
        {"source": "rides.csv", "read_options": {"storage_options": {}}, "columns": 1},
        {"source": "r.parquet", "read_options": {"delimiter": ";"}},
        {"source": "http://h/r.csv", "headers": {"A b": "x"}},
        {"source": "http://h/r.csv", "headers": {"A": "x\r\nHost: evil"}},
    ],
    ids=["unknown", "does not apply", "no name", "two lines"],
)
def test_option_that_makes_no_sense_is_2(options, capsys):
    write_csv("rides.csv", fare=[1])
    pl.DataFrame({"a": [1]}).write_parquet("r.parquet")
    configure(north=options)

    assert run() == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_drift_makes_a_healthy_site_degraded(capsys):
    configure(north={"source": "rides.csv"})
    write_csv("rides.csv", fare=[1, 2], tip=[1, 2], old=[1, 2])
    assert run() == 0
    write_csv("rides.csv", fare=[1, 2], tip=["a", "b"], new=[1, 2])

    assert run() == 1

    assert status()["status"] == "degraded"
    assert status()["reasons"] == [
        "the column old is gone",
        "the type of tip has changed: int64 -> string",
    ]
    assert drift() == {"tip": ["int64 -> string"], "new": ["new"], "old": ["gone"]}
    assert run() == 0  # compared with the run before, which is the last one now


def test_drift_that_does_not_degrade():
    configure(north={"source": "rides.csv"})
    write_csv("rides.csv", fare=range(100))
    assert run() == 0
    write_csv("rides.csv", fare=[*[None] * 60, *range(40)], new=range(100))

    assert run() == 0
    assert drift() == {
        "fare": ["null share 0 % -> 60 %", "distinct 100 -> 40"],
        "new": ["new"],
    }


def test_drift_is_not_looked_at_unless_asked_for():
    configure(north={"source": "rides.csv"})
    write_csv("rides.csv", fare=[1])
    assert run() == 0
    write_csv("rides.csv", tip=[1])

    assert run("north", "--emit-status") == 0


def test_run_that_is_not_completed_keeps_the_schema():
    check = [{"range": {"column": "fare", "min": 0}}]
    configure(north={"source": "rides.csv", "validators": check})
    write_csv("rides.csv", fare=[1])
    assert run() == 0
    before = schema()

    write_csv("rides.csv", tip=[1])
    assert run() == 3
    assert "the column fare is gone" in status()["reasons"]
    Path("rides.csv").unlink()
    assert run() == 3

    assert schema() == before


def test_bad_schema_of_the_site_itself_is_told(capsys):
    configure(north={"source": "rides.csv"})
    write_csv("rides.csv", fare=[1])
    assert run() == 0
    (OUTPUT / "schema/north.json").write_text("{")

    assert run() == 0
    assert "north.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["schema_matrix.csv", "status/north.json"])
def test_what_cannot_be_written_is_named(name, capsys):
    configure(north={"source": "rides.csv"})
    write_csv("rides.csv", fare=[1], old=[1])
    assert run() == 0
    write_csv("rides.csv", fare=[1])
    (OUTPUT / name).unlink()
    (OUTPUT / name).mkdir()  # for root there are no folders that cannot be written
    capsys.readouterr()

    assert run() == 3

    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"{name} cannot be written" in err
    if name != "status/north.json":
        assert status()["status"] == "failed"
        assert not status()["completed"]
    # Whoever tries again is told of the same change.
    (OUTPUT / name).rmdir()
    assert run() == 1
    assert status()["reasons"] == ["the column old is gone"]
    assert run() == 0


def test_output_folder_that_is_a_file(capsys):
    configure(north={"source": "rides.csv"})
    write_csv("rides.csv", fare=[1])
    OUTPUT.parent.mkdir()
    OUTPUT.write_text("")

    assert run() == 3
    assert "cannot be written" in capsys.readouterr().err


def test_full_disk(tmp_path):
    configure(north={"source": "rides.csv"})
    write_csv("rides.csv", fare=[1])

    done = subprocess.run(
        command(),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=25,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)),
    )

    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "schema/north.json cannot be written: File too large" in done.stderr
    assert files() == set()


@pytest.mark.parametrize(
    "site",
    ["../../etc/passwd", "-c", "<script>", "=1+1", "a b\nc", "名", "x" * 999, ".", "~"],
)
def test_names_of_sites_are_data(site, capsys):
    configure(**{site: {"source": "rides.csv"}})
    write_csv("rides.csv", fare=[1])

    assert run(site) == 0

    assert sites_of_matrix() == {site}
    assert {Path(name).parent.as_posix() for name in files()} == {
        ".",
        "schema",
        "status",
    }
    assert len([*(OUTPUT / "status").iterdir()]) == 1
    assert capsys.readouterr().out.count("\n") == 4


def test_fetched_data_is_called_by_its_address(temporary, tmp_path, capsys):
    folder = tmp_path / "served"
    folder.mkdir()
    write_csv(str(folder / "rides.csv"), fare=[1, 2, 300])
    check = [{"range": {"column": "fare", "max": 99}}]
    with webserver.serving(folder) as address:
        configure(north={"source": f"{address}rides.csv", "validators": check})
        assert run() == 1

    assert status()["source"] == schema()["source"] == f"{address}rides.csv"
    assert status()["row_count"] == 3
    everything = "".join((OUTPUT / name).read_text() for name in files())
    assert str(temporary) not in everything + capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".parquet", ".csv.gz", ".ndjson"])
def test_format_of_fetched_data_by_its_suffix(suffix, temporary, tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    frame = pl.DataFrame({"fare": [1, 2]})
    path = served / f"rides{suffix}"
    if suffix == ".parquet":
        frame.write_parquet(path)
    elif suffix == ".ndjson":
        frame.write_ndjson(path)
    else:
        frame.write_csv(path, compression="gzip")
    with webserver.serving(served) as address:
        configure(north={"source": f"{address}rides{suffix}?v=1"})
        assert run() == 0
    assert status()["row_count"] == 2


@pytest.mark.parametrize(
    ("headers", "options", "code"),
    [
        ({"Content-Type": "text/csv; charset=utf-8"}, {}, 0),
        ({"Content-Disposition": 'attachment; filename="r.csv"'}, {}, 0),
        ({}, {"read_options": {"format": "csv"}}, 0),
        ({"Content-Type": "application/octet-stream"}, {}, 3),
    ],
    ids=["type", "disposition", "option", "unknown"],
)
def test_format_of_fetched_data_by_the_answer(headers, options, code, temporary):
    def answer(request):
        body = b"fare\n1\n"
        request.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body)

    with answering(answer) as address:
        configure(north={"source": f"{address}/rides", **options})
        assert run() == code
    if code:
        assert f"{address}/rides" in status()["reasons"][0]


def test_address_that_answers_404_is_asked_once(temporary):
    asked = []

    def answer(request):
        asked.append(request.command)
        request.send_response(503 if "busy" in request.path else 404)
        request.send_header("Content-Length", "0")
        request.end_headers()

    with answering(answer) as address:
        for name, said in (("gone", "404 Not Found"), ("busy", "503 Service")):
            configure(north={"source": f"{address}/{name}.csv"})
            assert run() == 3
            assert said in status()["reasons"][0]
            assert status()["status"] == "failed"
    assert asked == ["GET", "GET"]


def test_nobody_answers(temporary, monkeypatch):
    monkeypatch.setenv("TRUTHOUND_ASYNC_TIMEOUT", "0.2")
    configure(north={"source": f"http://127.0.0.1:{free_port()}/r.csv"})
    assert run() == 3
    assert "could not be completed" in status()["reasons"][0]

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        configure(north={"source": f"http://127.0.0.1:{port}/r.csv"})
        assert run() == 3
        configure(north={"source": "https://user:pass@127.0.0.1:1/r.csv"})
        assert run() == 3


def test_certificate_of_nobody(temporary, tmp_path):
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("cert.pem", "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        configure(north={"source": f"https://127.0.0.1:{port}/r.csv"})
        process = start()
        with process:
            connection, _ = listening.accept()
            with connection, pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(connection, server_side=True).recv(1)
            out, err = process.communicate(timeout=25)
    assert process.returncode == 3
    assert "CERTIFICATE_VERIFY_FAILED" in out
    assert err == ""


SECRETS = ["p4ssw0rd!x", "t0ken/with+signs", "b3arer-value", "s1gned-key"]


@pytest.mark.parametrize("path", ["r.csv", "gone.csv", "bad.csv", "cut.csv", "away"])
def test_secrets_are_nowhere(path, temporary, monkeypatch, capsys):
    for name, value in zip("PTBS", SECRETS, strict=True):
        monkeypatch.setenv(name, value)
    seen = []

    def answer(request):
        seen.append(request.headers.get("X-Auth"))
        body = b"fare\n1\n" if "bad" not in request.path else b'fare\n1\n2,3,4\n"'
        if "away" in request.path:
            request.send_response(302)
            target = f"http://127.0.0.1:1/r.csv?X-Amz-Signature={SECRETS[3]}"
            request.send_header("Location", target)
            body = b""
        else:
            request.send_response(404 if "gone" in request.path else 200)
        length = len(body) + (99 if "cut" in request.path else 0)
        request.send_header("Content-Length", str(length))
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body)
        request.close_connection = True

    with answering(answer) as address:
        source = address.replace("://", "://user:${P}@") + f"/{path}?id=${{T}}"
        options = {"source": source, "headers": {"X-Auth": "Bearer ${B}"}}
        configure(north={**options, "validators": ["null"]})
        assert run() == (0 if path == "r.csv" else 3)

    assert seen[0] == f"Bearer {SECRETS[2]}"
    said = "".join(capsys.readouterr())
    written = "".join((OUTPUT / name).read_text() for name in files())
    for secret in [*SECRETS, "t0ken%2Fwith", "p4ssw0rd"]:
        assert secret not in said + written
    assert status()["source"].startswith("http://user:***@127.0.0.1")


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
    ids=["ctrl-c", "term"],
)
def test_signal_while_data_is_fetched(number, code, said, temporary):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        configure(north={"source": f"http://127.0.0.1:{port}/r.csv"})
        process = start(TMPDIR=str(temporary))
        with process:
            connection, _ = silent.accept()
            with connection:
                assert connection.recv(4096).startswith(b"GET /r.csv")
                assert left_in(temporary) != []
                process.send_signal(number)
                out, err = process.communicate(timeout=20)

    assert (process.returncode, out, err) == (code, "", f"truthound: {said}\n")
    assert files() == set()


def test_signal_while_another_has_the_lock():
    configure(north={"source": "rides.csv"})
    write_csv("rides.csv", fare=[1])
    OUTPUT.mkdir(parents=True)
    with (OUTPUT / ".schema_matrix.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start()
        with process:
            while not (OUTPUT / "schema/north.json").exists():
                assert process.poll() is None
                time.sleep(0.01)
            process.terminate()
            _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (143, "truthound: terminated\n")


def test_reader_of_the_output_has_gone():
    configure(north={"source": "rides.csv"})
    write_csv("rides.csv", fare=[1])
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        command(), env=environment(), stdout=writing, stderr=subprocess.PIPE, timeout=25
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, b"")
    assert files() == EVERY_FILE


# Python 3.12 warns of a fork beside the threads of the engine's allocator.
IGNORED = ["-W", "ignore::DeprecationWarning"]
FORKING = """\
import os, sys
from truthound.automation import site

site.prepare()
before = set(sys.modules)
threads = len(os.listdir("/proc/self/task"))
for name in sys.argv[1:]:
    if os.fork() == 0:
        code = site.main([f"--site={name}", "-c", "c.yaml"])
        ours = ("truthound", "httpx2", "httpcore2", "anyio", "yaml", "polars")
        late = [m for m in set(sys.modules) - before if m.startswith(ours)]
        print(name, code, late, flush=True)
        os._exit(0)
    os.wait()
assert threads == len(os.listdir("/proc/self/task"))
"""


def test_fork_of_a_process_that_is_prepared_imports_nothing(tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    write_csv("rides.csv", fare=[1], day=["2026-01-01"])
    write_csv(str(served / "rides.csv"), fare=[1])
    pl.DataFrame({"fare": [1]}).write_parquet("rides.parquet")
    checks = ["null", {"unique": {"column": "fare"}}, {"range": {"column": "fare"}}]
    with webserver.serving(served) as address:
        configure(
            csv={"source": "rides.csv", "validators": checks},
            parquet={"source": "rides.parquet", "validators": checks},
            web={"source": f"{address}rides.csv", "validators": checks},
        )
        done = subprocess.run(
            [sys.executable, *IGNORED, "-c", FORKING, "csv", "parquet", "web"],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=25,
            check=False,
        )
    assert done.stderr == ""
    for name in ("csv", "parquet", "web"):
        assert f"{name} 0 []" in done.stdout
