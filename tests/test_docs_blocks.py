"""The runner of the documentation's code, on pages that misbehave."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = """\
```python
import threading
go = threading.Event()
threading.Thread(target=go.wait).start()
```
```python
go.set()
file = open("people.csv")
```
```python
file.close()
open("people.csv")
```
```python
import asyncio
await asyncio.sleep(0)
task = asyncio.create_task(asyncio.sleep(60))
```
```python
task.cancel()
assert go.is_set()
```
"""


def test_block_that_leaves_something_behind_fails_alone(tmp_path: Path) -> None:
    shutil.copy(TESTS.parent / "conftest.py", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leaks.md").write_text(PAGE)

    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "docs"),
            *("--rootdir", ".", "-c", TESTS.parent / "pyproject.toml"),
            *("-p", "no:cacheprovider", "--tb=no"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        capture_output=True,
        text=True,
        timeout=28,
        check=False,
    )

    assert done.returncode == 1, done.stdout + done.stderr
    said = re.findall(r"^(ERROR|FAILED) .*line:(\d+),", done.stdout, re.M)
    assert sorted(said, key=lambda fault: int(fault[1])) == [
        ("ERROR", "1"),  # the thread
        ("ERROR", "6"),  # the file
        ("FAILED", "10"),  # the file that nothing refers to
        ("FAILED", "14"),  # the task
    ]
