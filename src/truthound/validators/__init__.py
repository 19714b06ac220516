"""Checks: one rule a file, the plan that runs them in one scan, and its results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truthound.validators import registry
from truthound.validators._plain import to_plain
from truthound.validators.base import (
    Check,
    Finding,
    Question,
    RowValidator,
    Scope,
    Validator,
)
from truthound.validators.examples import Examples
from truthound.validators.plan import Plan
from truthound.validators.registry import build, build_all, find, names, register
from truthound.validators.result import (
    CheckResult,
    GroupResult,
    Severity,
    ValidationRun,
)

if TYPE_CHECKING:
    from truthound.validators.blank import BlankValidator
    from truthound.validators.column_count import ColumnCountValidator
    from truthound.validators.compare import CompareValidator
    from truthound.validators.correlation import CorrelationValidator
    from truthound.validators.custom import CustomValidator
    from truthound.validators.date_range import DateRangeValidator
    from truthound.validators.distinct_count import DistinctCountValidator
    from truthound.validators.distribution import DistributionValidator
    from truthound.validators.duplicate import DuplicateValidator
    from truthound.validators.expression import ExpressionValidator
    from truthound.validators.format import FormatValidator
    from truthound.validators.freshness import FreshnessValidator
    from truthound.validators.in_set import InSetValidator
    from truthound.validators.length import LengthValidator
    from truthound.validators.max import MaxValidator
    from truthound.validators.mean import MeanValidator
    from truthound.validators.median import MedianValidator
    from truthound.validators.min import MinValidator
    from truthound.validators.monotonic import MonotonicValidator
    from truthound.validators.not_in_set import NotInSetValidator
    from truthound.validators.not_regex import NotRegexValidator
    from truthound.validators.null import NullValidator
    from truthound.validators.outlier import OutlierValidator
    from truthound.validators.quantile import QuantileValidator
    from truthound.validators.range import RangeValidator
    from truthound.validators.referential import ReferentialValidator
    from truthound.validators.regex import RegexValidator
    from truthound.validators.row_count import RowCountValidator
    from truthound.validators.schema import SchemaValidator
    from truthound.validators.std import StdValidator
    from truthound.validators.sum import SumValidator
    from truthound.validators.type import TypeValidator
    from truthound.validators.unique import UniqueValidator

__all__ = [
    "BlankValidator",
    "Check",
    "CheckResult",
    "ColumnCountValidator",
    "CompareValidator",
    "CorrelationValidator",
    "CustomValidator",
    "DateRangeValidator",
    "DistinctCountValidator",
    "DistributionValidator",
    "DuplicateValidator",
    "Examples",
    "ExpressionValidator",
    "Finding",
    "FormatValidator",
    "FreshnessValidator",
    "GroupResult",
    "InSetValidator",
    "LengthValidator",
    "MaxValidator",
    "MeanValidator",
    "MedianValidator",
    "MinValidator",
    "MonotonicValidator",
    "NotInSetValidator",
    "NotRegexValidator",
    "NullValidator",
    "OutlierValidator",
    "Plan",
    "QuantileValidator",
    "Question",
    "RangeValidator",
    "ReferentialValidator",
    "RegexValidator",
    "RowCountValidator",
    "RowValidator",
    "SchemaValidator",
    "Scope",
    "Severity",
    "StdValidator",
    "SumValidator",
    "TypeValidator",
    "UniqueValidator",
    "ValidationRun",
    "Validator",
    "build",
    "build_all",
    "find",
    "names",
    "register",
    "to_plain",
]


def __getattr__(name: str) -> object:
    # A rule's module is imported when the rule is first used.
    found = registry.by_class_name(name)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found
