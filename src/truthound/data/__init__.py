"""Sources of data, opened as one kind of table; the only room that imports engines."""

from truthound.data import samples
from truthound.data.conditions import check_boolean, opposite, whole
from truthound.data.expr import (
    ROWS,
    Batch,
    Metric,
    Predicate,
    Showing,
    by_value,
    count,
    native_predicate,
    pattern_problem,
    sql_predicate,
    unnamed,
)
from truthound.data.keys import Keys, distinct_keys
from truthound.data.options import ReadOptions
from truthound.data.schema import Column, Schema
from truthound.data.source import called, open_source
from truthound.data.table import (
    FrameTable,
    LazyTable,
    LoadedTable,
    RetypedError,
    Table,
)

__all__ = [
    "ROWS",
    "Batch",
    "Column",
    "FrameTable",
    "Keys",
    "LazyTable",
    "LoadedTable",
    "Metric",
    "Predicate",
    "ReadOptions",
    "RetypedError",
    "Schema",
    "Showing",
    "Table",
    "by_value",
    "called",
    "check_boolean",
    "count",
    "distinct_keys",
    "native_predicate",
    "open_source",
    "opposite",
    "pattern_problem",
    "samples",
    "sql_predicate",
    "unnamed",
    "whole",
]
