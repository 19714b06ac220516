"""The schema matrix as a page."""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import TYPE_CHECKING

from truthound._words import plural
from truthound.automation._schema import Field, SiteSchema, percent
from truthound.report.html import page, text

if TYPE_CHECKING:
    from truthound.automation._matrix import Matrix

_STYLE = files("truthound.automation").joinpath("matrix.css").read_text("utf-8")
_LEGEND = (
    '<p class="legend"><span class="differs">≠ type</span> another type than in most '
    'sites <span class="drift changed">drift</span> changed since the run before: the '
    'type, or gone <span class="drift">drift</span> new, or other numbers '
    '<span class="absent">·</span> not in this site</p>'
)


def matrix_page(matrix: Matrix) -> str:
    """Return a page that opens from disk: no script, nothing from elsewhere."""
    title = "Schema matrix"
    latest = max((schema.run_time for schema in matrix.schemas), default="")
    facts = (
        f"{plural(len(matrix.fields), 'field')}, {plural(len(matrix.schemas), 'site')}"
    )
    if latest:
        facts += f" · latest run {_moment(latest)}"
    head = f"<header><h1>{title}</h1><p class=soft>{text(facts)}</p></header>"
    heads = "".join(map(_head, matrix.schemas))
    rows = "\n".join(_row(matrix, name) for name in matrix.fields)
    table = (
        '<div class="matrix" tabindex="0"><table><thead><tr><th scope="col">field</th>'
        f"{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )
    return page(title, [head, _LEGEND, table], _STYLE)


def _head(schema: SiteSchema) -> str:
    return (
        f'<th scope="col"><b>{text(schema.site)}</b>'
        f"<small>{plural(schema.row_count, 'row')}</small>"
        f"<small>{_moment(schema.run_time)}</small></th>"
    )


def _row(matrix: Matrix, name: str) -> str:
    usual = matrix.usual_type(name)
    cells = []
    there = 0
    for schema in matrix.schemas:
        field = matrix.cells.get((name, schema.site))
        if field is not None:
            there += 1
            cells.append(_cell(field, usual))
        elif name in schema.gone:
            cells.append('<td><span class="drift changed">gone</span></td>')
        else:
            cells.append('<td class="absent">·</td>')
    sites = len(matrix.schemas)
    some = f"<small>in {there:,} of {sites:,} sites</small>" if there < sites else ""
    return f'<tr><th scope="row">{text(name)}{some}</th>{"".join(cells)}</tr>'


def _cell(field: Field, usual: str | None) -> str:
    differs = field.known_type is not None and field.known_type != usual
    mark = ' class="differs"' if differs else ""
    facts = "" if field.null_share is None else f"{percent(field.null_share)} null"
    if field.distinct is not None:
        facts += f"{' · ' if facts else ''}{field.distinct:,} distinct"
    drift = "".join(
        f'<span class="drift{" changed" if field.changed and not n else ""}">'
        f"{text(words)}</span>"
        for n, words in enumerate(field.drift)
    )
    sign = "≠ " if differs else ""
    dtype = f"<b>{sign}{_escaped(field.dtype)}</b>"
    return f"<td{mark}>{dtype}<small>{facts}</small>{drift}</td>"


@functools.lru_cache(1_000)
def _escaped(dtype: str) -> str:
    return text(dtype)


def _moment(run_time: str) -> str:
    return text(run_time[:16].replace("T", " ") + " UTC")
