"""Files, folders, patterns and addresses, and which reader takes them."""

from __future__ import annotations

import glob
import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from truthound.data.formats import open_files
from truthound.data.options import FORMATS, ReadOptions
from truthound.data.origin import Origin, local
from truthound.data.partitions import parts_of
from truthound.data.reading import reading
from truthound.data.table import Table
from truthound.errors import (
    ConfigurationError,
    DataError,
    DataNotFoundError,
    MalformedDataError,
    UnsupportedDataError,
    did_you_mean,
)
from truthound.secrets import without_password

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
_PACKED = {".gz", ".zst", ".zip"}
_SCHEMES = ("http", "https", "s3", "s3a", "gs", "gcs", "az", "azure", "abfs", "abfss")
_DATABASES = (
    *("postgresql", "postgres", "mysql", "mariadb", "sqlite", "mssql", "oracle"),
    *("snowflake", "bigquery", "redshift", "duckdb", "clickhouse", "databricks"),
    *("trino", "jdbc", "odbc", "mongodb"),
)
_SUPPORTED = (
    f"files ({', '.join(SUFFIXES)}; text also as .gz, .zst or .zip), folders and "
    f"patterns of them, and http, https, s3, gs and az addresses"
)


def open_path(path: str | bytes, options: ReadOptions) -> Table:
    """Open a path, a pattern, a folder or an address.

    Raises:
        DataNotFoundError: it leads to no file.
        UnsupportedDataError: it leads to something that cannot be read.
        MalformedDataError: a file is damaged, or several do not fit together.
        ConfigurationError: an option makes no sense for it.
        DataError: it cannot be read.
    """
    text = local_path(path)
    scheme, separator, _ = text.partition("://")
    if separator:
        return _open_address(text, scheme.lower(), options)
    base, files = listed(text, options)
    origins, kind = one_kind(_unpacked(base, files, options), text)
    return open_files(origins, kind, text, options)


def local_path(path: str | bytes) -> str:
    """Return a path as text, also one that is written as a ``file://`` address.

    Raises:
        DataNotFoundError: it can be none.
    """
    text = os.fsdecode(path)
    if not text.strip():
        raise DataNotFoundError("the path of the data is empty")
    if "\0" in text:
        raise DataNotFoundError(f"there is no file {text!r}")
    scheme, separator, rest = text.partition("://")
    if separator and scheme.lower() == "file":
        return "/" + rest.lstrip("/")
    return text


def one_kind(
    files: Iterable[tuple[Origin, str]], name: str
) -> tuple[list[Origin], str]:
    """Return the files, and the format of all of them.

    Raises:
        MalformedDataError: there are several formats.
    """
    origins = list(files)
    kinds = {kind for _, kind in origins}
    if len(kinds) > 1:
        raise MalformedDataError(
            name, f"there are files of several formats: {', '.join(sorted(kinds))}"
        )
    return [origin for origin, _ in origins], kinds.pop()


def _open_address(address: str, scheme: str, options: ReadOptions) -> Table:
    name = without_password(address)
    if scheme.split("+")[0] in _DATABASES:
        raise UnsupportedDataError(
            f"{name}: databases cannot be read by their address in this release; hand "
            f"in a DuckDB relation or an Ibis table, or one of {_SUPPORTED}"
        )
    if scheme not in _SCHEMES:
        raise UnsupportedDataError(
            f"{name}: there is no way to read {scheme}:// addresses"
            f"{did_you_mean(scheme, _SCHEMES)} (supported are {_SUPPORTED})"
        )
    if options.encoding is not None:
        raise ConfigurationError(
            f"encoding does not apply to addresses ({name}); download the file first"
        )
    path = address.partition("?")[0].partition("#")[0]
    kind = options.format or _format(PurePosixPath(path).name, name)
    if PurePosixPath(path).suffix.lower() == ".zip":
        raise UnsupportedDataError(
            f"{name}: a zip archive is read from a local file only"
        )
    if scheme in ("http", "https"):
        from truthound.data.reach import refuse_unreachable

        refuse_unreachable(address, name)
    storage = options.storage_options
    origin = Origin(name, address, storage=None if storage is None else dict(storage))
    return open_files([origin], kind, name, options)


def listed(text: str, options: ReadOptions) -> tuple[Path, list[Path]]:
    """Return the folder that a path leads to, and the files in the order of their rows.

    Raises:
        DataNotFoundError: there are none.
        UnsupportedDataError: the name of one is no UTF-8.
        DataError: a folder cannot be read.
    """
    base, files = _listed(text, options)
    for file in files:
        if not (name := str(file)).isascii():
            try:
                name.encode()
            except UnicodeEncodeError:
                shown = os.fsencode(name).decode("utf-8", "backslashreplace")
                raise UnsupportedDataError(
                    f"{shown}: its name is no UTF-8; rename it"
                ) from None
    return base, files


def _listed(text: str, options: ReadOptions) -> tuple[Path, list[Path]]:
    path = Path(text).expanduser()
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:  # a name that is too long, a link to itself
        raise DataNotFoundError(
            f"there is no file {text} ({error.strerror})"
        ) from error
    if is_folder:
        return path, _in_folder(path, options)
    if exists or not glob.has_magic(text):
        if not exists and not path.is_symlink():
            raise DataNotFoundError(f"there is no file {text}{_nearest(path)}")
        return path.parent, [path]
    # Without a pattern's own meaning of dots and links, but in a stable order.
    names = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207
    found = [Path(name) for name in names if Path(name).is_file()]
    if not found:
        raise DataNotFoundError(f"there is no file like {text}")
    return _before_pattern(path), found


def is_read_whole(files: Iterable[Path], options: ReadOptions) -> bool:
    """Tell whether to open the files is to read them, as that of archives is."""
    packed = any(_suffix(file.name)[1] == ".zip" for file in files)
    return packed or options.encoding is not None


def _in_folder(folder: Path, options: ReadOptions) -> list[Path]:
    found: list[Path] = []
    unknown: list[str] = []
    try:
        for parent, folders, files in os.walk(folder, onerror=_fail):
            # Markers and temporary files of the programs that wrote the folder.
            folders[:] = sorted(f for f in folders if not f.startswith((".", "_")))
            for name in sorted(files):
                file = Path(parent, name)
                if name.startswith((".", "_")) or not file.is_file():
                    continue
                if options.format or _suffix(name)[0] in SUFFIXES:
                    found.append(file)
                else:
                    unknown.append(name)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error
    if not found:
        other = f", only others such as {unknown[0]}" if unknown else ""
        raise DataNotFoundError(
            f"there is no file in {folder} of a format that is known{other}"
        )
    return found


def _fail(error: OSError) -> None:
    raise error


def _unpacked(
    base: Path, files: Iterable[Path], options: ReadOptions
) -> Iterator[tuple[Origin, str]]:
    """Yield each file and its format, the member of a zip archive in its place."""
    for file in files:
        if _suffix(file.name)[1] == ".zip":
            origin = local(file, parts_of(file.parent.relative_to(base).parts))
            member, content = _member(origin)
            kind = options.format or _format(member, origin.name)
            yield _decoded(replace(origin, reads=content), kind, options), kind
        else:
            origin, kind = as_it_is(base, file, options)
            yield _decoded(origin, kind, options), kind


def as_it_is(base: Path, file: Path, options: ReadOptions) -> tuple[Origin, str]:
    """Return a file that is no archive, and its format; nothing of it is read.

    Raises:
        UnsupportedDataError: it is of no format that is known.
        DataError: it cannot be read.
    """
    origin = local(file, parts_of(file.parent.relative_to(base).parts))
    packing = _suffix(file.name)[1]
    kind = options.format or _format(file.name, origin.name)
    if packing and kind in {"parquet", "arrow"}:
        raise UnsupportedDataError(
            f"{origin.name}: a {kind} file is compressed inside; unpack it first"
        )
    if kind in {"parquet", "arrow", "ndjson"} and not packing:
        origin = origin.unmapped()
    return origin, kind


def _decoded(origin: Origin, kind: str, options: ReadOptions) -> Origin:
    """Return a text file of another encoding as UTF-8."""
    encoding = options.encoding
    if encoding is None or kind in {"parquet", "arrow"}:
        return origin
    if origin.path is not None and origin.path.suffix == ".zst":
        raise ConfigurationError(
            f"encoding does not apply to .zst files ({origin.name}); unpack it first"
        )
    with reading(origin.name):
        content = origin.content()
    try:
        text = content.decode(encoding)
    except UnicodeError as error:
        raise MalformedDataError(
            origin.name, f"the text is not {encoding} ({error})"
        ) from error
    return replace(origin, reads=text.removeprefix("\ufeff").encode())


def _member(origin: Origin) -> tuple[str, bytes]:
    assert origin.path is not None  # a local file
    try:
        with zipfile.ZipFile(origin.path) as archive:
            names = [i.filename for i in archive.infolist() if not i.is_dir()]
            if len(names) != 1:
                raise MalformedDataError(
                    origin.name,
                    f"a zip archive must hold one file, this one holds {len(names)}"
                    + (f" ({', '.join(names[:5])})" if names else ""),
                )
            return PurePosixPath(names[0]).name, archive.read(names[0])
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise MalformedDataError(
            origin.name, f"the archive is truncated or damaged ({error})"
        ) from error
    except RuntimeError as error:  # encrypted
        raise UnsupportedDataError(f"{origin.name}: {error}") from error
    except OSError as error:
        raise DataError(f"{origin.name} cannot be read: {error.strerror}") from error


def _format(file_name: str, shown: str) -> str:
    suffix = _suffix(file_name)[0]
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if suffix:
        near = did_you_mean(suffix, SUFFIXES)
        said = f"files that end with {suffix} are of no format that is known{near}"
    else:
        said = "the name does not tell the format"
    raise UnsupportedDataError(
        f"{shown}: {said}; give format= ({', '.join(FORMATS)}), or one of {_SUPPORTED}"
    )


def _suffix(file_name: str) -> tuple[str, str]:
    """Return the suffix that tells the format, and the one of the compression."""
    path = PurePosixPath(file_name.lower())
    if path.suffix in _PACKED:
        return PurePosixPath(path.stem).suffix, path.suffix
    return path.suffix, ""


def _before_pattern(path: Path) -> Path:
    """Return the part of a pattern before the first folder with a wildcard."""
    plain: list[str] = []
    for part in path.parts[:-1]:
        if glob.has_magic(part):
            break
        plain.append(part)
    return Path(*plain)


def _nearest(path: Path) -> str:
    try:
        beside = [file.name for file in path.parent.iterdir()]
    except OSError:
        return f"; there is no folder {path.parent} either"
    return did_you_mean(path.name, beside)
