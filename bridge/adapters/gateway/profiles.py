"""Where the gateway is, by profile."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from bridge.settings import GatewayProfile, GatewaySettings

# The published base URLs (contract 1 and 4.1). CVT has none: each tenant is told its own (contract 3.33).
BASE_URLS = {GatewayProfile.PRODUCTION: "https://prod.fibregateway.com/v1"}
TOKEN_PATH = "/auth/tenant/access-token"  # noqa: S105 - a path, not a secret


class ProfileError(ValueError):
    """The profile does not say where the gateway is; the text names the variable to set."""


@dataclass(frozen=True)
class Endpoints:
    """Base URL of the Tenant API, without a slash at its end, and the URL of its token endpoint."""

    base_url: str
    token_url: str


def endpoints(settings: GatewaySettings) -> Endpoints:
    """
    A base URL of the settings' own goes before the profile's, for a tenant that reaches the gateway another way.

    Raises:
        ProfileError: the profile has no published base URL, and the settings give none; or a URL cannot be used.

    """
    base_url = settings.base_url or BASE_URLS.get(settings.profile)
    if base_url is None:
        raise ProfileError(
            f"BRIDGE_GATEWAY_BASE_URL: needed with profile {settings.profile}, because the gateway does not publish "
            "that address; ask those who gave you the client id"
        )
    base_url = _checked("BRIDGE_GATEWAY_BASE_URL", base_url)
    token_url = settings.token_url or base_url + TOKEN_PATH
    return Endpoints(base_url=base_url, token_url=_checked("BRIDGE_GATEWAY_TOKEN_URL", token_url))


def _checked(variable: str, text: str) -> str:
    """The URL, which the settings know to be one, without a slash at its end."""
    place = urlsplit(text)
    if place.query or place.fragment:
        raise ProfileError(f"{variable}: give it without a query and a fragment; paths are put behind it")
    return text.rstrip("/")


def address(settings: GatewaySettings) -> tuple[str, int]:
    """
    The gateway's host and port.

    Raises:
        ProfileError: as `endpoints`.

    """
    url = urlsplit(endpoints(settings).base_url)
    return url.hostname or "", url.port or {"http": 80, "https": 443}[url.scheme]
