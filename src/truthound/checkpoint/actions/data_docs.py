"""``UpdateDataDocs``: a site of pages that says how the latest runs ended."""

from __future__ import annotations

import contextlib
import html
import json
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from truthound import _atomic
from truthound.async_core._limit import check_count
from truthound.checkpoint._action import ActionConfig, NativeAction
from truthound.checkpoint._threads import ACTIONS, in_thread
from truthound.checkpoint.actions.store_result import safe_name
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ActionError, ConfigurationError, did_you_mean

SUFFIXES = {"html": ".html", "markdown": ".markdown"}
MANIFEST = "runs.json"  # what the index is made of


@dataclass
class DataDocsConfig(ActionConfig):
    """Options of :class:`UpdateDataDocs`.

    Attributes:
        site_path: the folder; made when it is needed.
        site_name: the title.
        format: html or markdown.
        include_history: list all runs that are kept; if not, the last one of each
            checkpoint.
        max_history_items: runs that are kept for each checkpoint; the pages of older
            ones are removed.
    """

    site_path: str | os.PathLike[str] = "./truthound_docs"
    site_name: str = "Data quality"
    format: str = "html"
    include_history: bool = True
    max_history_items: int = 50

    def check(self) -> None:
        super().check()
        if self.format not in SUFFIXES:
            raise ConfigurationError(
                f"format is {' or '.join(SUFFIXES)}, not {self.format!r}"
                f"{did_you_mean(str(self.format), SUFFIXES)}"
            )
        check_count("max_history_items", self.max_history_items)


class UpdateDataDocs(NativeAction[DataDocsConfig]):
    """Writes a page for each run, and an index of them.

    The site is ``index.html``, ``runs/`` and ``assets/style.css``; it needs no server.
    Several runs, also of several processes, may update it at once.
    """

    action_type: str = "update_docs"

    async def _execute_async(self, checkpoint_result: CheckpointResult) -> ActionResult:
        found: ActionResult = await in_thread(
            lambda: self._updated(checkpoint_result), ACTIONS
        )
        return found

    def _is_threaded(self) -> bool:
        return True

    def _updated(self, result: CheckpointResult) -> ActionResult:
        from truthound.report import render

        config, site = self._config, Path(self._config.site_path)
        suffix = SUFFIXES[config.format]
        page = f"runs/{safe_name(result.run_id)}{suffix}"
        text = render(result, config.format)
        try:
            for folder in ("runs", "assets"):
                (site / folder).mkdir(parents=True, exist_ok=True)
            with _locked(site):
                _atomic.write_text(site / page, text)
                known = _read(site / MANIFEST)
                records = _kept(
                    [*known, _record(result, page)], config.max_history_items
                )
                _atomic.write_text(site / MANIFEST, json.dumps(records, indent=1))
                shown = records if config.include_history else _last_of_each(records)
                if config.format == "html":
                    _atomic.write_text(site / "assets/style.css", STYLE)
                draw = _as_html if config.format == "html" else _as_markdown
                index = site / f"index{suffix}"
                _atomic.write_text(index, draw(config.site_name, shown))
                _remove(site, _pages(known) - _pages(records))
        except OSError as error:
            raise ActionError(f"{site}: {error.strerror or error}") from error
        return self.result("success", f"updated {index}", path=str(index))


def _record(result: CheckpointResult, page: str) -> dict[str, Any]:
    return {
        "page": page,
        "checkpoint": result.checkpoint_name,
        "status": str(result.status),
        "run_time": result.run_time.isoformat(),
        "data_asset": result.data_asset,
        "summary": result.summary(),
    }


def _read(manifest: Path) -> list[dict[str, Any]]:
    """Return the runs of a site; none if they cannot be read."""
    try:
        found = json.loads(manifest.read_text("utf-8"))
    except (OSError, ValueError):
        return []
    fields = ("page", "checkpoint", "status", "run_time", "data_asset", "summary")
    return [
        record
        for record in (found if isinstance(found, list) else [])
        if isinstance(record, dict)
        and all(isinstance(record.get(field), str) for field in fields)
    ]


def _kept(records: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """Return the latest records of each checkpoint, the latest first."""
    records = sorted(records, key=lambda r: r["run_time"], reverse=True)
    seen: dict[str, int] = {}
    kept = []
    for record in {r["page"]: r for r in records}.values():
        number = seen[record["checkpoint"]] = seen.get(record["checkpoint"], 0) + 1
        if number <= most:
            kept.append(record)
    return kept


def _last_of_each(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    first: dict[str, dict[str, Any]] = {}
    for record in records:
        first.setdefault(record["checkpoint"], record)
    return list(first.values())


def _pages(records: Sequence[dict[str, Any]]) -> set[str]:
    return {record["page"] for record in records}


def _remove(site: Path, pages: set[str]) -> None:
    """Remove pages that were listed and are no longer; nothing else."""
    for page in pages:
        name = page.removeprefix("runs/")
        if safe_name(name) == name:  # written by this action, in its folder
            (site / "runs" / name).unlink(missing_ok=True)


_lock = threading.Lock()


@contextlib.contextmanager
def _locked(site: Path) -> Iterator[None]:
    """Let nobody else update the site in the block, in this process or another."""
    with _lock:
        descriptor = os.open(site / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            # A file system without locks: the one of this process has to do.
            with contextlib.suppress(ImportError, OSError):
                import fcntl

                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _as_html(title: str, records: Sequence[dict[str, Any]]) -> str:
    rows = []
    for record in records:
        told = {key: html.escape(str(value)) for key, value in record.items()}
        rows.append(
            f'<tr><td class="{told["status"]}">{told["status"]}</td>'
            f'<td><a href="{told["page"]}">{told["checkpoint"]}</a></td>'
            f"<td>{told['run_time'][:19]}</td><td>{told['data_asset']}</td>"
            f"<td>{told['summary']}</td></tr>"
        )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'self'\">\n"
        f"<title>{html.escape(title)}</title>\n"
        '<link rel="stylesheet" href="assets/style.css"></head>\n'
        f"<body><h1>{html.escape(title)}</h1>\n"
        "<table><thead><tr><th>Status</th><th>Checkpoint</th><th>Time (UTC)</th>"
        "<th>Data</th><th>Summary</th></tr></thead>\n<tbody>\n"
        + "\n".join(rows)
        + "\n</tbody></table></body></html>\n"
    )


def _as_markdown(title: str, records: Sequence[dict[str, Any]]) -> str:
    from truthound.report.markdown import escaped

    lines = [
        f"# {escaped(title)}",
        "",
        "| status | checkpoint | time (UTC) | data | summary |",
        "|---|---|---|---|---|",
    ]
    for record in records:
        cells = [
            record["status"],
            f"[{escaped(record['checkpoint'])}]({record['page']})",
            record["run_time"][:19],
            escaped(record["data_asset"]),
            escaped(record["summary"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


STYLE = """\
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem;
       padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .6rem; vertical-align: top;
         border-bottom: 1px solid #8884; }
.success { color: #1a7f4b; } .warning { color: #9a6700; }
.failure, .error { color: #c6203e; font-weight: 600; }
@media (prefers-color-scheme: dark) {
  .success { color: #4cc38a; } .warning { color: #e3b341; }
  .failure, .error { color: #ff6b81; } a { color: #79b8ff; }
}
"""
