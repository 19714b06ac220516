"""Names of validators, and how a configuration becomes validator objects."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from truthound.errors import (
    ConfigurationError,
    UnknownNameError,
    UnknownOptionError,
    did_you_mean,
)
from truthound.validators.base import Validator

ENTRY_POINTS = "truthound.validators"

# Where each rule lives; a module is imported when its rule is first used.
_HOMES: dict[str, str] = {
    "blank": "blank:BlankValidator",
    "column_count": "column_count:ColumnCountValidator",
    "compare": "compare:CompareValidator",
    "correlation": "correlation:CorrelationValidator",
    "custom": "custom:CustomValidator",
    "date_range": "date_range:DateRangeValidator",
    "distinct_count": "distinct_count:DistinctCountValidator",
    "distribution": "distribution:DistributionValidator",
    "duplicate": "duplicate:DuplicateValidator",
    "expression": "expression:ExpressionValidator",
    "format": "format:FormatValidator",
    "freshness": "freshness:FreshnessValidator",
    "in_set": "in_set:InSetValidator",
    "length": "length:LengthValidator",
    "max": "max:MaxValidator",
    "mean": "mean:MeanValidator",
    "median": "median:MedianValidator",
    "min": "min:MinValidator",
    "monotonic": "monotonic:MonotonicValidator",
    "not_in_set": "not_in_set:NotInSetValidator",
    "not_null": "null:NullValidator",
    "not_regex": "not_regex:NotRegexValidator",
    "null": "null:NullValidator",
    "outlier": "outlier:OutlierValidator",
    "quantile": "quantile:QuantileValidator",
    "range": "range:RangeValidator",
    "referential": "referential:ReferentialValidator",
    "regex": "regex:RegexValidator",
    "row_count": "row_count:RowCountValidator",
    "schema": "schema:SchemaValidator",
    "std": "std:StdValidator",
    "sum": "sum:SumValidator",
    "type": "type:TypeValidator",
    "unique": "unique:UniqueValidator",
}
_registered: dict[str, type[Validator]] = {}


def names() -> list[str]:
    """Return the names of all rules, those of plug-ins included."""
    return sorted({*_HOMES, *_registered, *_plugins()})


def find(name: str) -> type[Validator]:
    """Return the validator class of a name, or of ``package.module:Class``.

    Raises:
        UnknownNameError: there is none; the nearest name is suggested.
        ConfigurationError: the class of a plug-in or module cannot be imported, or is
            no validator.
    """
    if name in _registered:
        return _registered[name]
    if home := _HOMES.get(name):
        module, _, cls = home.partition(":")
        owner = importlib.import_module(f"truthound.validators.{module}")
        found: type[Validator] = getattr(owner, cls)
    elif plugin := _plugins().get(name):
        found = _loaded(name, plugin)
    elif ":" in name:
        return _imported(name)
    else:
        raise UnknownNameError("validator", name, names())
    _registered[name] = found
    return found


def by_class_name(class_name: str) -> type[Validator] | None:
    """Return one of the package's own validator classes, None if it is none."""
    for name, home in _HOMES.items():
        if home.partition(":")[2] == class_name:
            return find(name)
    return None


def register(cls: type[Validator]) -> type[Validator]:
    """Make a class of the user's known under its ``rule``; usable as a decorator.

    Raises:
        ConfigurationError: the name is taken by another class.
    """
    rule = cls.rule
    if rule in _HOMES or _registered.get(rule, cls) is not cls:
        raise ConfigurationError(f"there is a validator {rule!r} already")
    _registered[rule] = cls
    return cls


def _plugins() -> dict[str, Callable[[], type[Validator]]]:
    from importlib.metadata import entry_points

    return {point.name: point.load for point in entry_points(group=ENTRY_POINTS)}


def _loaded(name: str, load: Callable[[], Any]) -> type[Validator]:
    try:
        found = load()
    except Exception as error:
        # Whatever the user's module does when it is imported.
        raise ConfigurationError(
            f"the validator {name!r} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Validator)):
        raise ConfigurationError(f"{name!r} leads to {found!r:.80}, no Validator class")
    return found


def _imported(path: str) -> type[Validator]:
    module, _, cls = path.partition(":")
    return _loaded(path, lambda: getattr(importlib.import_module(module), cls))


def build(spec: object) -> Validator:
    """Make a validator of a name, ``{name: {option: value}}``, or an object.

    Raises:
        UnknownNameError: no such validator.
        UnknownOptionError: no such option.
        ConfigurationError: a value of the wrong type, or anything else.
    """
    if isinstance(spec, Validator):
        return spec
    if isinstance(spec, type) and issubclass(spec, Validator):
        return spec()
    if isinstance(spec, str):
        return make(spec, {})
    if isinstance(spec, Mapping) and len(spec) == 1:
        ((name, options),) = spec.items()
        if options is None or isinstance(options, Mapping):
            return make(str(name), dict(options or {}))
        if isinstance(options, str):
            return make(str(name), _spelled_out(str(name), options))
        raise ConfigurationError(
            f"{name}: expected its options as a mapping, got {options!r}"
        )
    if callable(spec):
        return make("custom", {"function": spec})
    raise ConfigurationError(
        "a validator is a name ('null'), a mapping of a name to its options "
        f"({{'range': {{'column': 'fare', 'min': 0}}}}) or an object, not {spec!r}"
    )


def _spelled_out(name: str, word: str) -> dict[str, Any]:
    """Return the options that a word stands for.

    Raises:
        ConfigurationError: it stands for none.
    """
    known = find(name).short_forms
    if word in known:
        return dict(known[word])
    words = f" or one of {', '.join(known)}" if known else ""
    raise ConfigurationError(
        f"{name}: expected its options as a mapping{words}, got {word!r}"
        f"{did_you_mean(word, known)}"
    )


def build_all(specs: object) -> list[Validator]:
    """Make validators of a list of what ``build`` takes.

    Raises:
        ConfigurationError: see ``build``; the position is named.
    """
    if specs is None:
        return []
    if isinstance(specs, (str, Validator)) or callable(specs):
        specs = [specs]
    if isinstance(specs, Mapping):
        specs = [{name: options} for name, options in specs.items()]
    if not isinstance(specs, Sequence):
        raise ConfigurationError(f"validators are a list, not {specs!r}")
    return [build(spec) for spec in specs]


def make(name: str, options: Mapping[str, Any]) -> Validator:
    """Make a validator of its name and options, checking the options' types.

    Raises:
        UnknownNameError: no such validator.
        UnknownOptionError: no such option.
        ConfigurationError: a value of the wrong type.
    """
    cls = find(name)
    known = {f.name: f for f in dataclasses.fields(cls) if f.init}
    for option, value in options.items():
        if option not in known:
            raise UnknownOptionError(name, option, known)
        problem = type_problem(cls, option, value)
        if problem:
            raise ConfigurationError(f"{name}.{option}: {problem}")
    return cls(**options)


def type_problem(cls: type[Validator], option: str, value: object) -> str | None:
    """Say what is wrong with the type of an option's value; None if nothing is."""
    import msgspec

    expected = option_types(cls).get(option, Any)
    if expected is Any:
        return None
    try:
        msgspec.convert(value, type=expected)
    except msgspec.ValidationError as error:
        return str(error)
    except TypeError:  # a type, or a union, of which msgspec knows nothing
        return _union_problem(expected, value)
    return None


def _union_problem(expected: Any, value: object) -> str | None:
    import typing

    import msgspec

    for kind in typing.get_args(expected) or (Any,):
        try:
            msgspec.convert(value, type=kind)
        except msgspec.ValidationError:
            continue
        except TypeError:
            pass
        return None
    names = [getattr(kind, "__name__", str(kind)) for kind in typing.get_args(expected)]
    return f"Expected `{' | '.join(names)}`, got {value!r:.60}"


@functools.cache
def option_types(cls: type[Validator]) -> dict[str, Any]:
    """Return the types of a validator's options, as annotated."""
    import typing

    return typing.get_type_hints(cls)
