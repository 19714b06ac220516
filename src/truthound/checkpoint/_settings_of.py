"""What the configuration of a checkpoint stands for."""

from __future__ import annotations

import dataclasses
from typing import Any

from truthound.checkpoint._adapter import type_of
from truthound.checkpoint._run import described
from truthound.checkpoint.model import CheckpointConfig
from truthound.data import ReadOptions
from truthound.errors import ConfigurationError, did_you_mean
from truthound.secrets import resolved, without_password
from truthound.validators import Examples, Severity, Validator, to_plain
from truthound.validators.registry import build_all
from truthound.validators.validation import DEFAULT_VALIDATORS, Validation

# Options that are written in another way, or that are functions.
_NOT_PLAIN = {"data_source", "validators", "on_start", "on_complete", "on_error"}


def as_record(checkpoint: Any) -> dict[str, Any]:
    """Return the configuration of a checkpoint as plain values, without any secret."""
    config = checkpoint.config
    record = {
        f.name: getattr(config, f.name)
        for f in dataclasses.fields(config)
        if f.name not in _NOT_PLAIN
    }
    record["read_options"] = {
        key: value
        for key, value in config.read_options.items()
        if key != "storage_options"
    }
    record["data_source"] = described(config.data_source)
    record["validators"] = (
        config.validators
        if checkpoint._refers()
        else [{v.rule: v.options()} for v in checkpoint._validation().validators]
    )
    record["priority"] = config.priority.name.lower()
    record["actions"] = [as_plain(action) for action in checkpoint.actions]
    record["triggers"] = [as_plain(trigger) for trigger in checkpoint.triggers]
    plain: dict[str, Any] = to_plain(record)
    return plain


def validation_of(checkpoint: Any, read: dict[str, Any]) -> Validation:
    """Return what the configuration of a checkpoint says must hold.

    Args:
        checkpoint: whose.
        read: the options of reading.

    Raises:
        ConfigurationError: it makes no sense.
    """
    config = checkpoint.config
    if checkpoint._refers():
        specs, by_name, schema, _ = resolved(checkpoint._texts(), checkpoint.places)
        config = dataclasses.replace(
            config,
            validators=specs,
            validator_config=by_name,
            schema=schema,
        )
    return Validation(
        validators=validators_of(config),
        name=config.name,
        read=ReadOptions.of(read),
        examples=Examples.of(config.sample_rows, config.id_columns, config.redact),
        allow_empty=config.allow_empty,
        min_severity=None
        if config.min_severity is None
        else Severity.parse(config.min_severity),
        baselines=checkpoint.baselines,
        incremental=config.incremental,
        clock=checkpoint.clock,
    )


def validators_of(config: CheckpointConfig) -> list[Validator]:
    specs = DEFAULT_VALIDATORS if config.validators is None else config.validators
    listed = [specs] if isinstance(specs, str) else specs
    unused = set(config.validator_config)
    if isinstance(listed, (list, tuple)) and config.validator_config:
        merged = []
        for spec in listed:
            if isinstance(spec, str) and spec in config.validator_config:
                unused.discard(spec)
                spec = {spec: config.validator_config[spec]}
            merged.append(spec)
        listed = merged
    for name in sorted(unused):
        names = [spec for spec in listed if isinstance(spec, str)]
        raise ConfigurationError(
            f"validator_config has options for {name!r}, which validators does not "
            f"name{did_you_mean(name, names)}"
        )
    validators = build_all(listed)
    if config.schema is not None:
        validators += build_all([{"schema": {"schema": config.schema}}])
    elif config.auto_schema:
        validators += build_all(["schema"])
    return validators


def differ(left: tuple[Any, ...], right: tuple[Any, ...]) -> bool:
    try:
        return bool(left != right)
    except Exception:  # noqa: BLE001 - a frame or an expression says neither
        return True


def as_plain(part: Any) -> dict[str, Any]:
    """Return the type of an action or trigger, and the options that were given."""
    config = getattr(part, "config", None)
    record: dict[str, Any] = {"type": type_of(part)}
    if dataclasses.is_dataclass(config):
        for option in dataclasses.fields(config):
            value = getattr(config, option.name)
            default = option.default
            if option.default_factory is not dataclasses.MISSING:
                default = option.default_factory()
            if value != default:
                is_text = isinstance(value, str)
                record[option.name] = without_password(value) if is_text else value
    return record
