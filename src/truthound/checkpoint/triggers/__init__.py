"""When checkpoints run: by the clock, by files, events, messages, after others."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from truthound.checkpoint.triggers.base import (
        BaseTrigger as BaseTrigger,
    )
    from truthound.checkpoint.triggers.base import (
        TriggerConfig as TriggerConfig,
    )
    from truthound.checkpoint.triggers.base import (
        TriggerResult as TriggerResult,
    )
    from truthound.checkpoint.triggers.base import (
        TriggerStatus as TriggerStatus,
    )
    from truthound.checkpoint.triggers.cron import CronConfig as CronConfig
    from truthound.checkpoint.triggers.cron import CronTrigger as CronTrigger
    from truthound.checkpoint.triggers.event import EventConfig as EventConfig
    from truthound.checkpoint.triggers.event import EventTrigger as EventTrigger
    from truthound.checkpoint.triggers.file_watch import (
        FileWatchConfig as FileWatchConfig,
    )
    from truthound.checkpoint.triggers.file_watch import (
        FileWatchTrigger as FileWatchTrigger,
    )
    from truthound.checkpoint.triggers.hook import HookConfig as HookConfig
    from truthound.checkpoint.triggers.hook import HookTrigger as HookTrigger
    from truthound.checkpoint.triggers.kafka import (
        KafkaConfig as KafkaConfig,
    )
    from truthound.checkpoint.triggers.kafka import (
        KafkaTrigger as KafkaTrigger,
    )
    from truthound.checkpoint.triggers.messages import (
        MessageConfig as MessageConfig,
    )
    from truthound.checkpoint.triggers.messages import (
        MessageTrigger as MessageTrigger,
    )
    from truthound.checkpoint.triggers.messages import Received as Received
    from truthound.checkpoint.triggers.mqtt import (
        MQTTConfig as MQTTConfig,
    )
    from truthound.checkpoint.triggers.mqtt import (
        MQTTTrigger as MQTTTrigger,
    )
    from truthound.checkpoint.triggers.nats import NATSConfig as NATSConfig
    from truthound.checkpoint.triggers.nats import NATSTrigger as NATSTrigger
    from truthound.checkpoint.triggers.postgres_notify import (
        PostgresNotifyConfig as PostgresNotifyConfig,
    )
    from truthound.checkpoint.triggers.postgres_notify import (
        PostgresNotifyTrigger as PostgresNotifyTrigger,
    )
    from truthound.checkpoint.triggers.rabbitmq import (
        RabbitMQConfig as RabbitMQConfig,
    )
    from truthound.checkpoint.triggers.rabbitmq import (
        RabbitMQTrigger as RabbitMQTrigger,
    )
    from truthound.checkpoint.triggers.redis import (
        RedisStreamConfig as RedisStreamConfig,
    )
    from truthound.checkpoint.triggers.redis import (
        RedisStreamTrigger as RedisStreamTrigger,
    )
    from truthound.checkpoint.triggers.schedule import (
        ScheduleConfig as ScheduleConfig,
    )
    from truthound.checkpoint.triggers.schedule import (
        ScheduleTrigger as ScheduleTrigger,
    )
    from truthound.checkpoint.triggers.upstream import (
        UpstreamConfig as UpstreamConfig,
    )
    from truthound.checkpoint.triggers.upstream import (
        UpstreamTrigger as UpstreamTrigger,
    )

_HOMES = {
    "BaseTrigger": "base",
    "CronConfig": "cron",
    "CronTrigger": "cron",
    "EventConfig": "event",
    "EventTrigger": "event",
    "FileWatchConfig": "file_watch",
    "FileWatchTrigger": "file_watch",
    "MessageConfig": "messages",
    "MessageTrigger": "messages",
    "NATSConfig": "nats",
    "NATSTrigger": "nats",
    "Received": "messages",
    "RedisStreamConfig": "redis",
    "RedisStreamTrigger": "redis",
    "KafkaConfig": "kafka",
    "KafkaTrigger": "kafka",
    "MQTTConfig": "mqtt",
    "MQTTTrigger": "mqtt",
    "PostgresNotifyConfig": "postgres_notify",
    "PostgresNotifyTrigger": "postgres_notify",
    "RabbitMQConfig": "rabbitmq",
    "RabbitMQTrigger": "rabbitmq",
    "HookConfig": "hook",
    "HookTrigger": "hook",
    "ScheduleConfig": "schedule",
    "ScheduleTrigger": "schedule",
    "TriggerConfig": "base",
    "TriggerResult": "base",
    "TriggerStatus": "base",
    "UpstreamConfig": "upstream",
    "UpstreamTrigger": "upstream",
}
# By the word of a configuration file.
TYPES = {
    "cron": "CronTrigger",
    "event": "EventTrigger",
    "file_watch": "FileWatchTrigger",
    "nats": "NATSTrigger",
    "redis": "RedisStreamTrigger",
    "hook": "HookTrigger",
    "kafka": "KafkaTrigger",
    "mqtt": "MQTTTrigger",
    "postgres_notify": "PostgresNotifyTrigger",
    "rabbitmq": "RabbitMQTrigger",
    "schedule": "ScheduleTrigger",
    "upstream": "UpstreamTrigger",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return __all__
