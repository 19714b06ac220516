"""Options of actions and triggers: a class names its config class, and takes those."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from truthound.errors import ConfigurationError, UnknownOptionError
from truthound.secrets import Secret, without_password

C = TypeVar("C")


class Options:
    """Base of the configurations: a dataclass that shows no secret.

    A subclass is a dataclass, too; its fields are the options of whoever names it.
    """

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        # The decorator leaves a class its own; the one that it makes shows everything.
        if "__repr__" not in cls.__dict__:
            setattr(cls, "__repr__", Options.__repr__)  # noqa: B010 - no declaration

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __repr__(self) -> str:
        return _shown(self)

    def check(self) -> None:
        """Raise if an option makes no sense; a subclass asks its base, too.

        Raises:
            ConfigurationError: which option, and what was expected.
        """
        for option in dataclasses.fields(self):
            given = getattr(self, option.name)
            for kind, words in _KINDS.items():
                if option.type == kind.__name__ and not isinstance(given, kind):
                    raise ConfigurationError(f"{option.name} is {words}, not {given!r}")


# By their annotations, which are texts.
_KINDS = {bool: "True or False", str: "a text", dict: "a mapping"}


class Configured(Generic[C]):
    """Something with a name, a type and a configuration.

    The options of the configuration can be read from the object itself, too.

    Args:
        config: all options at once; or give them one by one.
        options: those of the config class. A class that names none takes any.

    Raises:
        UnknownOptionError: an option that does not exist (a ``TypeError``).
        ConfigurationError: an option out of range, or missing (a ``ValueError``).
    """

    _base: type[Any] = Options  # what the configuration is in any case
    _kind = ""  # the attribute that names its type

    def __init__(self, config: C | None = None, **options: Any) -> None:
        self._config: C = self._made(config, options)

    @classmethod
    def _default_config(cls) -> C:
        """Return the configuration of an object to which nothing was said."""
        made: C = config_class(cls)()
        return made

    @property
    def config(self) -> C:
        """The options."""
        return self._config

    @property
    def name(self) -> str:
        """What results and logs call it: the option ``name``, else its type."""
        return str(getattr(self._config, "name", None) or getattr(self, self._kind))

    @property
    def enabled(self) -> bool:
        """Whether it is in use."""
        return bool(getattr(self._config, "enabled", True))

    def validate_config(self) -> list[str]:
        """Return what is wrong with the configuration, in words; empty if nothing."""
        return []

    def __getattr__(self, option: str) -> Any:
        # Only asked for what is not there otherwise.
        config = self.__dict__.get("_config")
        if config is not None and not option.startswith("__"):
            try:
                return getattr(config, option)
            except AttributeError:
                pass
        raise AttributeError(f"{type(self).__name__} has no attribute {option!r}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def _made(self, config: Any, options: dict[str, Any]) -> Any:
        owner, cls = type(self).__name__, config_class(type(self))
        if config is not None and not isinstance(config, self._base):
            raise TypeError(
                f"{owner}: config is a {cls.__name__}, not "
                f"{type(config).__name__}; give options by their names"
            )
        if config is None:
            config = self._from_options(owner, cls, options)
        elif options:
            known = [f.name for f in dataclasses.fields(config)]
            _refuse_unknown(owner, options, known)
            config = dataclasses.replace(config, **options)
        config.check()
        return config

    def _from_options(self, owner: str, cls: type[Any], options: Any) -> Any:
        if _is_open(cls):
            return cls(**options)
        fields = [f for f in dataclasses.fields(cls) if f.init]
        _refuse_unknown(owner, options, [f.name for f in fields])
        if _overrides(type(self)):
            default = self._default_config()
            return dataclasses.replace(default, **options) if options else default  # type: ignore[type-var]
        for field in fields:
            is_needed = (
                field.default is dataclasses.MISSING
                and field.default_factory is dataclasses.MISSING
            )
            if is_needed and field.name not in options:
                raise ConfigurationError(f"{owner}: the option {field.name} is missing")
        return cls(**options)


def _refuse_unknown(owner: str, options: Any, known: list[str]) -> None:
    for option in options:
        if option not in known:
            raise UnknownOptionError(owner, option, known)


def _overrides(cls: type[Configured[Any]]) -> bool:
    made_by = inspect.getattr_static(cls, "_default_config")
    return made_by is not Configured.__dict__["_default_config"]


def config_class(cls: type[Configured[Any]]) -> type[Any]:
    """Return the config class of a class: of its default, or what its base names."""
    for owner in cls.__mro__:
        if owner is Configured:
            break
        if "_default_config" in owner.__dict__:
            return type(cls._default_config())
        for base in owner.__dict__.get("__orig_bases__", ()):
            named = get_args(base)[:1]
            is_ours = isinstance(get_origin(base), type) and issubclass(
                get_origin(base), Configured
            )
            if is_ours and named and isinstance(named[0], type):
                return _checked(cls, named[0])
    return _open(cls._base)


def _checked(cls: type[Configured[Any]], named: type[Any]) -> type[Any]:
    base = cls._base.__name__
    if not issubclass(named, cls._base):
        raise TypeError(
            f"{cls.__name__}: the config class {named.__name__} has to derive from "
            f"{base}"
        )
    if inspect.get_annotations(named) and (
        "__dataclass_fields__" not in named.__dict__
    ):
        raise TypeError(
            f"{cls.__name__}: the config class {named.__name__} needs @dataclass above "
            "it, else its options are none"
        )
    return named


_OPEN: dict[type[Any], type[Any]] = {}


def _is_open(cls: type[Any]) -> bool:
    return cls in _OPEN.values()


def _open(base: type[Any]) -> type[Any]:
    """Return a config class that takes any option, for classes that name none."""
    if base not in _OPEN:
        known = {f.name for f in dataclasses.fields(base)}

        def take(self: Any, **options: Any) -> None:
            ours = {name: options.pop(name) for name in known & options.keys()}
            base.__init__(self, **ours)
            self.__dict__.update(options)

        _OPEN[base] = type(base.__name__, (base,), {"__init__": take})
    return _OPEN[base]


def _shown(self: Any) -> str:
    told = []
    for name, value in vars(self).items():
        field = self.__dataclass_fields__.get(name)
        if field is not None and value == field.default:
            continue
        text = without_password(value) if isinstance(value, str) else value
        is_telling = isinstance(value, Secret) or not _HIDDEN.intersection(
            name.lower().split("_")
        )
        told.append(f"{name}={text!r}" if is_telling else f"{name}='***'")
    return f"{type(self).__name__}({', '.join(told)})"


# Options of users' classes by whose names one can tell that nobody should see them.
_HIDDEN = {"token", "password", "secret", "key", "credentials", "webhook", "auth"}
