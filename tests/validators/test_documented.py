"""The YAML in the documentation of the rules about tables is what a file may hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from truthound.checkpoint import load_checkpoints

PAGE = Path(__file__).parents[2] / "docs" / "validators" / "table.md"
BLOCKS = re.findall(r"(?ms)^```yaml\n(validators:\n.*?)^```", PAGE.read_text("utf-8"))


@pytest.mark.parametrize("block", BLOCKS)
def test_block_is_accepted_and_runs_to_a_verdict(block: str, tmp_path: Path) -> None:
    indented = "".join(f"    {line}\n" for line in block.splitlines())
    path = tmp_path / "truthound.yaml"
    path.write_text(f"checkpoints:\n  - name: x\n    data_source: x.csv\n{indented}")
    (checkpoint,) = load_checkpoints(path)
    assert checkpoint.validate() == []


def test_every_section_has_its_block() -> None:
    sections = re.findall(r"(?m)^## (\w+)$", PAGE.read_text("utf-8"))
    shown = {re.findall(r"(?m)^  - (\w+):", block)[0] for block in BLOCKS}
    assert shown == set(sections) - {"custom"}
