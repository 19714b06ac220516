"""The environment variables of the toolkit."""

from __future__ import annotations

import pytest

from truthound._settings import Settings, settings
from truthound.errors import ConfigurationError


def test_defaults_are_the_documented_ones() -> None:
    assert settings() == Settings(workers=10, timeout=30.0, retry_max=3, pool_size=100)


def test_each_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "WORKERS": "4",
        "TIMEOUT": "2.5",
        "RETRY_MAX": "0",
        "POOL_SIZE": "7",
    }.items():
        monkeypatch.setenv(f"SPECIFY_ASYNC_{name}", value)

    assert settings() == Settings(workers=4, timeout=2.5, retry_max=0, pool_size=7)


def test_our_name_wins_over_the_documented_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECIFY_ASYNC_WORKERS", "4")
    monkeypatch.setenv("TRUTHOUND_ASYNC_WORKERS", "5")

    assert settings().workers == 5


@pytest.mark.parametrize("prefix", ["TRUTHOUND_ASYNC_", "SPECIFY_ASYNC_"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "0"),
        ("WORKERS", "many"),
        ("WORKERS", "2.5"),
        ("TIMEOUT", "0"),
        ("TIMEOUT", "-1"),
        ("TIMEOUT", "nan"),
        ("TIMEOUT", "inf"),
        ("RETRY_MAX", "-1"),
        ("POOL_SIZE", "0"),
    ],
)
def test_senseless_value_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, prefix: str, name: str, value: str
) -> None:
    monkeypatch.setenv(prefix + name, value)

    with pytest.raises(ConfigurationError, match=f"{prefix}{name}='{value}'"):
        settings()


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUTHOUND_ASYNC_WORKERS", " ")

    assert settings().workers == 10
