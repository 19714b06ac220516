"""The document behind this package: its classes, its configuration, its examples.

Its first blocks sketch classes; ours have what they show. The configuration and the
usage examples run as they are written, with sites served from this machine.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import truthound.automation
import webserver
from truthound.automation import UniversalRunner, load_config

DOCUMENT = Path(__file__).parent.parent / "spec" / "pipeline-executor.md"
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = FENCED.findall(DOCUMENT.read_text("utf-8"))
SKETCHES = [code for kind, code in BLOCKS if kind == "python" and "class " in code]
(CONFIGURATION,) = [code for kind, code in BLOCKS if kind == "yaml"]
(USAGE,) = [code for _, code in BLOCKS if "# Example 1" in code]
SITES = ["example1.com", "example2.com", "example3.com"]
# Public in the document only because its class has no other way to do it.
INSIDE = {"semaphore"}


def classes() -> Iterator[ast.ClassDef]:
    for code in SKETCHES:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ClassDef):
                yield node


def names_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    return [argument.arg for argument in function.args.args]


def attributes_of(function: ast.FunctionDef) -> set[str]:
    """Return what ``__init__`` sets."""
    return {
        node.targets[0].attr
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute)
    }


def test_the_document_is_read() -> None:
    names = {node.name for node in classes()}
    assert names == {"PipelineExecutor", "AsyncPipelineExecutor", "UniversalRunner"}
    assert len(BLOCKS) == 5


@pytest.mark.parametrize("sketch", list(classes()), ids=lambda node: node.name)
def test_class_has_what_the_document_shows(sketch: ast.ClassDef) -> None:
    ours = getattr(truthound.automation, sketch.name)
    made = ours({"command": ["true"], "log_directory": None})
    for node in sketch.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if node.name == "__init__":
            assert isinstance(node, ast.FunctionDef)
            for attribute in attributes_of(node) - INSIDE:
                assert hasattr(made, attribute), attribute
        elif node.name.startswith("_"):
            continue
        method = getattr(ours, node.name)
        is_async = isinstance(node, ast.AsyncFunctionDef)
        assert inspect.iscoroutinefunction(method) is is_async, node.name
        shown = names_of(node)
        assert list(inspect.signature(method).parameters)[: len(shown)] == shown


@pytest.mark.parametrize(
    "path",
    ["pipeline_executor", "async_pipeline_executor", "universal_runner"],
)
def test_modules_are_where_the_document_has_them(path: str) -> None:
    module = __import__(f"truthound.automation.{path}", fromlist=["*"])
    (name,) = module.__all__
    assert getattr(module, name) is getattr(truthound.automation, name)


def test_configuration_is_taken_whole() -> None:
    Path("config.yaml").write_text(CONFIGURATION, "utf-8")
    config = load_config("config.yaml")

    assert config.timeout == 3600
    assert config.retry_count == 3
    assert config.max_concurrent_sites == 5
    assert config.use_async is True
    assert config.retry_backoff == "exponential"
    assert config.progress_reporting is True
    assert config.error_aggregation is True


@pytest.fixture
def address() -> Iterator[str]:
    """Serve the data of three sites, of which the third has a bad value."""
    data = Path("served")
    data.mkdir()
    for name in SITES:
        fare = -1 if name == SITES[2] else 1
        (data / f"{name}.csv").write_text(f"id,fare\n1,2.5\n2,{fare}\n", "utf-8")
    with webserver.serving(data) as served:
        yield served


def configure(address: str) -> None:
    """Write the configuration of the document, with sites."""
    sites = f"""
  defaults:
    source: "{address}{{site}}.csv"
    validators: [null, {{range: {{column: fare, min: 0}}}}]
"""
    Path("automation").mkdir()
    Path("automation/config.yaml").write_text(CONFIGURATION + sites, "utf-8")


def test_usage_examples_run_as_they_stand(address: str) -> None:
    configure(address)
    expected = {SITES[0]: True, SITES[1]: True, SITES[2]: False}
    found: dict[str, Any] = {"UniversalRunner": UniversalRunner}

    exec(USAGE, found)

    assert found["results"] == expected
    assert list(found["results"]) == SITES
    assert asyncio.run(found["run_with_monitoring"]()) == expected
    # What was tried once: bad data does not get better.
    run = found["runner"].last_run
    assert run is not None
    assert [len(site.attempts) for site in run] == [1, 1, 1]


def test_example_of_many_sites_goes_the_other_way(address: str) -> None:
    configure(address)
    third = USAGE[USAGE.index("if len(sites) > 10") :]
    chosen = []

    class Runner(UniversalRunner):
        def run_pipeline(self, sites: Any, use_async: Any = None) -> dict[str, bool]:
            chosen.append(use_async)
            return super().run_pipeline(sites[:1], use_async)

    names = {"runner": Runner(), "sites": [SITES[0]] * 11}
    exec(third, names)
    names = {"runner": Runner(), "sites": [SITES[0]] * 10}
    exec(third, names)
    assert chosen == [True, False]


async def test_inside_a_loop_it_says_what_to_call() -> None:
    runner = UniversalRunner({"command": ["true"], "log_directory": None})
    for use_async in (True, False, None):
        with pytest.raises(RuntimeError, match=r"Use run_pipeline_async\(\) in async"):
            runner.run_pipeline(["a"], use_async=use_async)
    assert runner.last_run is None
    assert await runner.run_pipeline_async(["a"]) == {"a": True}
