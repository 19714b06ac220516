"""A report for CI systems, as JUnit XML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from truthound.report._item import Item
from truthound.report._words import shown, told
from truthound.validators import CheckResult

# What XML 1.0 cannot hold at all, escaped or not.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(items: Sequence[Item]) -> str:
    """Return a test suite a run and a test case a check."""
    root = ET.Element("testsuites")
    for item in items:
        checks = item.run.checks if item.run else ()
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_clean(item.title),
            tests=str(len(checks) or 1),
            failures=str(len(item.issues)),
            errors=str(len(item.errors) or int(item.run is None)),
            time=f"{item.duration_ms / 1000:.3f}",
        )
        if item.run is None:
            title = _clean(item.title)
            case = ET.SubElement(suite, "testcase", name="run", classname=title)
            ET.SubElement(case, "error", message=_clean(item.error or "no result"))
            continue
        suite.set("timestamp", item.run.run_time.isoformat())
        issues = {id(issue) for issue in item.issues}
        for check in checks:
            _case(suite, item, check, id(check) in issues)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _case(suite: ET.Element, item: Item, check: CheckResult, is_issue: bool) -> None:
    case = ET.SubElement(
        suite, "testcase", name=_clean(check.name), classname=_clean(item.title)
    )
    if check.status == "error":
        ET.SubElement(case, "error", message=_clean(check.error or ""))
    elif is_issue:
        failure = ET.SubElement(
            case, "failure", message=_clean(told(check)), type=str(check.severity)
        )
        failure.text = _clean(
            "\n".join(
                ", ".join(f"{name}={shown(value)}" for name, value in row.items())
                for row in check.examples
            )
        )


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
