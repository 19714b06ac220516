"""Tell an environment of this project: its name, its version and its entry points.

    python scripts/metadata.py FOLDER

An installation would write the same into FOLDER, beside the installed packages; this
needs no build.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(packages: Path) -> None:
    """Write the metadata."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    version = (ROOT / "src" / "truthound" / "_version.py").read_text("utf-8")
    found = re.search(r'"(.+)"', version)
    assert found is not None
    name = project["name"]
    folder = packages / f"{name.replace('-', '_')}-{found[1]}.dist-info"
    folder.mkdir(exist_ok=True)
    folder.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {found[1]}\n", "utf-8"
    )
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    lines = []
    for group, points in groups.items():
        lines.append(f"[{group}]")
        lines += [f"{point} = {place}" for point, place in points.items()]
    folder.joinpath("entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
