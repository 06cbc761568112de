"""
All settings, read once from the environment into frozen values and passed in; nothing reads the environment later.

`groups` has them all, `values` the kinds of values that they have, `reading` turns an environment into them.
"""

from bridge.settings.groups import (
    GROUPS,
    ClientAuth,
    DispatcherSettings,
    GatewayProfile,
    GatewaySettings,
    KafkaSecurity,
    KafkaSettings,
    LogSettings,
    ManagementSettings,
    SaslMechanism,
    SchemaSettings,
    TracingSettings,
    TrackerSettings,
    Unavailable,
    WebhookAuth,
    WebhookSettings,
)
from bridge.settings.reading import PREFIX, Setting, Settings, SettingsError, Source, read, settings_of
from bridge.settings.values import Group

__all__ = [
    "GROUPS",
    "PREFIX",
    "ClientAuth",
    "DispatcherSettings",
    "GatewayProfile",
    "GatewaySettings",
    "Group",
    "KafkaSecurity",
    "KafkaSettings",
    "LogSettings",
    "ManagementSettings",
    "SaslMechanism",
    "SchemaSettings",
    "Setting",
    "Settings",
    "SettingsError",
    "Source",
    "TracingSettings",
    "TrackerSettings",
    "Unavailable",
    "WebhookAuth",
    "WebhookSettings",
    "read",
    "settings_of",
]
