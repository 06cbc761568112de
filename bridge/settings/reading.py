"""
Reads settings from an environment. All problems are told together, each with its variable's name.

A secret may instead be given as a file's path in `<VARIABLE>_FILE`, as Kubernetes mounts them. A `BRIDGE_` variable
that no setting reads is a problem: it is most likely a setting whose name was mistyped.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bridge.settings.groups import (
    GROUPS,
    DispatcherSettings,
    GatewaySettings,
    KafkaSettings,
    LogSettings,
    ManagementSettings,
    SchemaSettings,
    TracingSettings,
    TrackerSettings,
    WebhookSettings,
)
from bridge.settings.values import Group, Kind

PREFIX = "BRIDGE_"
MASK = "********"
# A name that is less like a known one than this is no misspelling of it.
LIKENESS = 0.8
TYPES: dict[Any, str] = {
    SecretStr: "secret",
    Path: "path",
    bool: "true or false",
    int: "whole number",
    float: "number",
    dict: "JSON object",
    str: "text",
}
UNITS = {"_seconds": "seconds", "_bytes": "bytes", "_per_minute": "per minute", "_rate": "calls per second"}


class SettingsError(Exception):
    """The environment cannot be used; the text names each variable, what is wrong with it, and what would be right."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems, one sentence each."""
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings:
    """The groups that one process asked for, each at its name in lower case: `settings.kafka`, `settings.gateway`."""

    kafka: KafkaSettings
    gateway: GatewaySettings
    webhook: WebhookSettings
    schema: SchemaSettings
    management: ManagementSettings
    log: LogSettings
    tracing: TracingSettings
    dispatcher: DispatcherSettings
    tracker: TrackerSettings

    def __init__(self, groups: Mapping[str, Group]) -> None:
        """Take the groups by name; asking for another one later is an AttributeError."""
        for name, group in groups.items():
            setattr(self, name.lower(), group)


class Source(StrEnum):
    """Where a value comes from."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    FILE = "file"
    MISSING = "missing"


@dataclass(frozen=True)
class Setting:
    """One setting: its group and field, and the variables that it is read from."""

    group: str
    field: str
    info: FieldInfo

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"{PREFIX}{self.group}_{self.field.upper()}"

    @property
    def file_variable(self) -> str | None:
        """The variable that may name a file instead; only a secret has one."""
        return f"{self.variable}_FILE" if self.is_secret else None

    @property
    def is_secret(self) -> bool:
        """Whether the value is never shown."""
        return _mentions(self.info.annotation, SecretStr)

    @property
    def is_required(self) -> bool:
        """Whether there is no default."""
        return self.info.default is PydanticUndefined

    @property
    def type(self) -> str:
        """What may be written, in a few words."""
        for part in (self.info, *_parts(self.info.annotation)):
            kinds = [
                each.name
                for each in getattr(part, "metadata", getattr(part, "__metadata__", ()))
                if isinstance(each, Kind)
            ]
            if kinds:
                return kinds[0]
        for part in _parts(self.info.annotation):
            if isinstance(part, type) and issubclass(part, StrEnum):
                return f"one of {', '.join(part)}"
            if (kind := getattr(part, "__origin__", part)) in TYPES:
                return TYPES[kind]
        raise TypeError(f"{self.variable}: {self.info.annotation} has no name in TYPES")

    @property
    def unit(self) -> str:
        """What a number counts; empty for what is no number, or counts what the meaning says."""
        return next((unit for end, unit in UNITS.items() if self.field.endswith(end)), "")

    @property
    def example(self) -> str:
        """A value that can be used as it is."""
        return str((self.info.examples or [""])[0])

    def shown(self, value: object) -> str:
        """A value as it would be written into the environment; a secret is masked."""
        if value is None or value == ():
            return ""
        if self.is_secret:
            return MASK
        if isinstance(value, timedelta):
            return f"{value.total_seconds():f}".rstrip("0").rstrip(".")
        if isinstance(value, tuple):
            return ",".join(str(each) for each in value)
        if isinstance(value, dict):
            return json.dumps(value)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def source(self, environ: Mapping[str, str]) -> Source:
        """Where the value comes from in this environment."""
        if self.variable in environ:
            return Source.ENVIRONMENT
        if self.file_variable is not None and self.file_variable in environ:
            return Source.FILE
        return Source.MISSING if self.is_required else Source.DEFAULT


def settings_of(group: str) -> tuple[Setting, ...]:
    """Every setting of a group, in the order of its fields."""
    return tuple(Setting(group, field, info) for field, info in GROUPS[group].model_fields.items())


def read(environ: Mapping[str, str], *names: str) -> Settings:
    """
    Read the named groups.

    Raises:
        SettingsError: with every problem of every group, and every `BRIDGE_` variable that no group knows.

    """
    problems = list(_unknown(environ))
    groups: dict[str, Group] = {}
    for name in names:
        values, unread = _values(name, environ)
        problems += unread.values()
        try:
            groups[name] = GROUPS[name](**values)
        except ValidationError as error:
            problems += _problems(name, values, error, set(unread))
    if problems:
        raise SettingsError(problems)
    return Settings(groups)


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    settings = [setting for name in GROUPS for setting in settings_of(name)]
    known = {variable for each in settings for variable in (each.variable, each.file_variable) if variable is not None}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            near = get_close_matches(variable, known, n=1, cutoff=LIKENESS)
            hint = f"did you mean {near[0]}?" if near else "`bridge config table` lists them all"
            yield f"{variable}: no setting of this name; {hint}"


def _values(name: str, environ: Mapping[str, str]) -> tuple[dict[str, object], dict[str, str]]:
    """What is given for a group, by field; and for each field that cannot even be read, the problem."""
    values: dict[str, object] = {}
    unread: dict[str, str] = {}
    for setting in settings_of(name):
        file = None if setting.file_variable is None else environ.get(setting.file_variable)
        given = environ.get(setting.variable)
        if given is not None and file is not None:
            unread[setting.field] = f"{setting.variable}: give {setting.variable} or {setting.file_variable}, not both"
        try:
            if given is not None:
                values[setting.field] = _json(given, setting) if _mentions(setting.info.annotation, dict) else given
            elif file is not None:
                values[setting.field] = _content(f"{setting.file_variable}", Path(file))
        except ValueError as error:
            unread[setting.field] = str(error)
            values[setting.field] = _stand_in(setting)
    return values, unread


def _content(variable: str, path: Path) -> str:
    """A secret from its file, without the line end that editors add; ValueError says why there is none."""
    try:
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{variable}: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{variable}: {path} is not UTF-8 text") from error
    if not secret:
        raise ValueError(f"{variable}: {path} is empty")
    return secret


def _json(text: str, setting: Setting) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{setting.variable}: not JSON: {error}") from error


def _problems(name: str, values: Mapping[str, object], error: ValidationError, unread: set[str]) -> Iterator[str]:
    """
    One sentence for each field that is wrong and each rule that is broken.

    pydantic looks at the rules only when every field is right, so they are asked again with the wrong ones replaced;
    a rule that reads a wrong field waits for it to be mended.
    """
    wrong: set[str] = set()
    for detail in error.errors(include_url=False):
        if detail["loc"]:
            field = str(detail["loc"][0])
            wrong.add(field)
            if field not in unread:
                message = str(detail["msg"]).removeprefix("Value error, ")
                # The offending value is not shown: it may be a secret.
                yield f"{PREFIX}{name}_{field.upper()}: {message[:1].lower()}{message[1:]}"
    stand_ins = {setting.field: _stand_in(setting) for setting in settings_of(name) if setting.field in wrong}
    group = GROUPS[name].model_construct(**_validated(name, {**values, **stand_ins}))
    for rule in group.rules():
        if not (wrong | unread) & set(rule.fields):
            yield f"{PREFIX}{name}_{rule.fields[0].upper()}: {rule.what}"


def _validated(name: str, values: Mapping[str, object]) -> dict[str, Any]:
    """The values with their types, without the rules of the group."""

    class Unruled(GROUPS[name]):  # type: ignore[misc,valid-type]  # the same fields, and no rule
        def rules(self) -> Iterator[Any]:
            yield from ()

    return dict(Unruled(**values))


def _stand_in(setting: Setting) -> object:
    """A value that is right, for one that is not: the default, else the example."""
    if not setting.is_required:
        return setting.info.default
    return (setting.info.examples or [""])[0]


def _parts(annotation: Any) -> tuple[Any, ...]:
    """The annotation, and the branches of a union."""
    return (annotation, *getattr(annotation, "__args__", ()))


def _mentions(annotation: Any, kind: type) -> bool:
    return any(part is kind or getattr(part, "__origin__", None) is kind for part in _parts(annotation))
