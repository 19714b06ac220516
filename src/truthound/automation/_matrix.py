"""The schema matrix: fields by sites, of the last completed run of each site.

Every site's process writes the schema of its site, and then the matrix of all. Where
many end at once, one of them writes it for the others: who comes next into the lock
finds that its schema is in already, and has nothing to do.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from truthound._clock import SYSTEM_CLOCK
from truthound.automation._matrix_page import matrix_page
from truthound.automation._schema import FOLDER, Field, SiteSchema, read_schema, write
from truthound.errors import StoreError
from truthound.report._words import safe

NAME = "schema_matrix"
SUFFIXES = (".json", ".csv", ".html")
LOCK = f".{NAME}.lock"
PATIENCE = 20.0  # seconds to wait for another process that writes the matrix
STEP = 0.02  # seconds between two looks
# What a spreadsheet takes for a formula, in either width. Other signs of the kind, a
# tab or a line's end, are made visible before.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class Matrix:
    """Schemas side by side.

    Attributes:
        schemas: one a site, in the order of the sites' names.
        fields: the names of all columns, each after the one that it follows in the
            first of these that has it.
        cells: a column, by its name and its site.
    """

    schemas: Sequence[SiteSchema]
    fields: Sequence[str]
    cells: dict[tuple[str, str], Field]

    @classmethod
    def of(cls, schemas: Iterable[SiteSchema]) -> Matrix:
        """Make one."""
        ordered = sorted(schemas, key=lambda schema: schema.site)
        cells = {
            (field.name, schema.site): field
            for schema in ordered
            for field in schema.columns
        }
        return cls(ordered, _merged(ordered), cells)

    def usual_type(self, name: str) -> str | None:
        """Return the type that a column has in most sites; None if there is none."""
        types = Counter(
            field.known_type
            for schema in self.schemas
            if (field := self.cells.get((name, schema.site))) and field.known_type
        ).most_common(2)
        if not types or (len(types) == 2 and types[0][1] == types[1][1]):
            return None
        return types[0][0]

    def as_json(self) -> bytes:
        """Return it for programs."""
        sites = [
            {
                "site": schema.site,
                "run_id": schema.run_id,
                "run_time": schema.run_time,
                "source": schema.source,
                "row_count": schema.row_count,
                "column_count": len(schema.columns),
            }
            for schema in self.schemas
        ]
        fields = [
            {
                "field": name,
                "usual_type": self.usual_type(name),
                "sites": {
                    schema.site: cell
                    for schema in self.schemas
                    if (cell := self._cell(name, schema)) is not None
                },
            }
            for name in self.fields
        ]
        document = {"version": 1, "sites": sites, "fields": fields}
        return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"

    def _cell(self, name: str, schema: SiteSchema) -> dict[str, Any] | None:
        field = self.cells.get((name, schema.site))
        if field is not None:
            return {
                "type": field.dtype,
                "null_share": field.null_share,
                "distinct": field.distinct,
                "drift": field.drift,
            }
        if name in schema.gone:
            empty = dict.fromkeys(("type", "null_share", "distinct"))
            return {**empty, "drift": ["gone"]}
        return None

    def as_csv(self) -> str:
        """Return it for spreadsheets: a row a field, four columns a site.

        No cell is a formula: one that would be begins with an apostrophe.
        """
        keys = ("type", "null_share", "distinct", "drift")
        text = io.StringIO()
        writer = csv.writer(text)
        heads = [
            f"{schema.site}: {key.replace('_', ' ')}"
            for schema in self.schemas
            for key in keys
        ]
        writer.writerow(map(_harmless, ("field", *heads)))
        for name in self.fields:
            row: list[Any] = [_harmless(name)]
            for schema in self.schemas:
                cell = self._cell(name, schema) or {}
                told = {**cell, "drift": "; ".join(cell.get("drift", ()))}
                row += [_harmless(told.get(key)) for key in keys]
            writer.writerow(row)
        return text.getvalue()


def _merged(schemas: Iterable[SiteSchema]) -> list[str]:
    names: list[str] = []
    known: set[str] = set()
    for schema in schemas:
        last: str | None = None
        for name in (*(field.name for field in schema.columns), *schema.gone):
            if name not in known:
                known.add(name)
                names.insert(_behind(names, last), name)
            last = name
    return names


def _behind(names: Sequence[str], last: str | None) -> int:
    if last is None:
        return 0
    # Mostly it is the last one of all.
    return len(names) if names[-1] == last else names.index(last) + 1


def update(output: Path, content: bytes | None = None) -> list[str]:
    """Write the matrix of all sites, unless it holds this site's schema already.

    Blocks while another process writes it.

    Args:
        output: the folder of findings.
        content: of this site's schema, which has been written; None: write it anyhow.

    Returns:
        What is wrong with the schemas of other sites, which are left out then.

    Raises:
        StoreError: it cannot be written; the message names the file.
    """
    with locked(output / LOCK) as lock:
        # Below stands what the matrix was made of that was last written as a whole,
        # so that no clock has to say whether this schema is in it. A process killed
        # in between leaves the list as it was, or cut short: then it is made again.
        if content is not None:
            digest = hashlib.sha256(content).hexdigest().encode() + b"\n"
            if digest in _content(lock) and _is_there(output):
                return []
        _tidy(output)
        schemas, contents, problems = collect(output)
        matrix = Matrix.of(schemas)
        write(output / f"{NAME}.json", matrix.as_json())
        write(output / f"{NAME}.csv", matrix.as_csv().encode())
        write(output / f"{NAME}.html", matrix_page(matrix).encode())
        listed = [hashlib.sha256(part).hexdigest().encode() for part in contents]
        with _naming(output / LOCK):
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"".join(line + b"\n" for line in listed), 0)
    return problems


def collect(output: Path) -> tuple[list[SiteSchema], list[bytes], list[str]]:
    """Return the schemas of all sites, their contents, and what is wrong with others.

    Raises:
        StoreError: the folder cannot be read.
    """
    schemas, contents, problems = [], [], []
    folder = output / FOLDER
    with _naming(folder, "read"):
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names are what is wanted
    for name in names:
        if name.startswith(".") or not name.endswith(".json"):
            continue
        try:
            schema, content = read_schema(folder / name)
        except FileNotFoundError:
            continue  # somebody has just taken it away
        except StoreError as error:
            problems.append(f"{error}; it is left out of the schema matrix")
            continue
        schemas.append(schema)
        contents.append(content)
    return schemas, contents, problems


def _is_there(output: Path) -> bool:
    return all((output / f"{NAME}{suffix}").exists() for suffix in SUFFIXES)


def _content(lock: int) -> bytes:
    return os.pread(lock, os.fstat(lock).st_size, 0)


def _tidy(output: Path) -> None:
    # Who was killed while it had the lock has left a file that nobody will finish.
    for path in output.glob(f".{NAME}.*.tmp"):
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """Let nobody else be in the block; the system lets go for one who is killed."""
    with _naming(path):
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
    try:
        give_up = SYSTEM_CLOCK.monotonic() + PATIENCE
        while not _is_locked(descriptor, path):
            if SYSTEM_CLOCK.monotonic() > give_up:
                raise StoreError(
                    f"{path} is held by another process for over {PATIENCE:.0f} s"
                )
            SYSTEM_CLOCK.sleep(STEP)
        yield descriptor
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int, path: Path) -> bool:
    with _naming(path, "locked"):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextlib.contextmanager
def _naming(path: Path, what: str = "written") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        raise StoreError(f"{path} cannot be {what}: {why}") from error


def _harmless(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = safe(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
