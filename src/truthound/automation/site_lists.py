"""Names of sites from a file: CSV, JSON, or a line each."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from truthound.errors import ConfigurationFileError

COLUMNS = ("site", "name")  # where a name stands, the first that is there


def read_site_list(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of sites in a file, each once, in its order.

    ``.json`` holds a list of names, or of objects with ``site`` or ``name``, by itself
    or under ``sites``; ``.csv`` a column of one of these names, or one column without a
    heading; any other file a name in each line. Empty lines are left out.

    Raises:
        ConfigurationFileError: it cannot be read, or is of another form.
    """
    shown = os.fspath(path)
    try:
        text = Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise ConfigurationFileError([f"{shown}: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationFileError([f"{shown}: not UTF-8"]) from error
    suffix = Path(path).suffix.lower()
    if suffix == ".json":
        names = _of_json(shown, text)
    elif suffix == ".csv":
        names = list(_of_csv(shown, text))
    else:
        names = [line.strip() for line in text.splitlines()]
    return list(dict.fromkeys(name for name in names if name))


def _of_json(file: str, text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationFileError([f"{file}: {error}"]) from error
    if isinstance(found, dict):
        found = found.get("sites")
    if not isinstance(found, list):
        raise ConfigurationFileError([f"{file}: expected a list of sites"])
    return [_name(file, place, item) for place, item in enumerate(found, 1)]


def _name(file: str, place: int, item: Any) -> str:
    if isinstance(item, dict):
        item = next((item[key] for key in COLUMNS if key in item), None)
    if not isinstance(item, str) or not item:
        raise ConfigurationFileError(
            [f"{file}: item {place}: expected a site's name, or an object with 'site'"]
        )
    return item


def _of_csv(file: str, text: str) -> Iterator[str]:
    first = text.lstrip().partition("\n")[0]
    # The sign that stands most often in the heading.
    sign = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    column = None
    try:
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if column is None:
                column, is_heading = _column(file, row)
                if is_heading:
                    continue
            name = row[column].strip() if column < len(row) else ""
            if not name:
                place = f"{file}:{rows.line_num}"
                raise ConfigurationFileError([f"{place}: there is no site in this row"])
            yield name
    except csv.Error as error:
        raise ConfigurationFileError([f"{file}:{rows.line_num}: {error}"]) from error


def _column(file: str, row: list[str]) -> tuple[int, bool]:
    heads = [cell.strip().lower() for cell in row]
    for name in COLUMNS:
        if name in heads:
            return heads.index(name), True
    if len(row) == 1:
        return 0, False
    raise ConfigurationFileError(
        [f"{file}:1: expected a column 'site', got {', '.join(row)}"]
    )
