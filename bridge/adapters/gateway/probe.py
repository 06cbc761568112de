"""Asks the token endpoint for a token, as the dispatcher does, and tells in a sentence why there is none."""

import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from bridge.adapters.gateway.auth import NoToken, TokenSource
from bridge.adapters.gateway.client import http_client
from bridge.adapters.gateway.profiles import ProfileError, endpoints
from bridge.ports import Clock
from bridge.settings import GatewaySettings

CREDENTIALS = (
    "check BRIDGE_GATEWAY_CLIENT_ID, BRIDGE_GATEWAY_CLIENT_SECRET (or …_FILE) and BRIDGE_GATEWAY_CLIENT_AUTH, and"
    " whether the client belongs to this environment"
)
ADDRESS = "check BRIDGE_GATEWAY_BASE_URL and BRIDGE_GATEWAY_TOKEN_URL"
BROKEN_OFF = frozenset({"CONNECTION_LOST", "DISCONNECTED"})
WANTS_CERTIFICATE = (
    "as one does that asks for a client certificate; if the gateway asks for one, set BRIDGE_GATEWAY_CLIENT_CERT_FILE"
    " and BRIDGE_GATEWAY_CLIENT_KEY_FILE, else try again"
)
# X509_V_ERR_… of OpenSSL's x509_vfy.h.
WRONG_NAME, EXPIRED = frozenset({62, 64}), 10
# What NoToken's words say to a person: what it is, and how to mend it. `True`: a setting is wrong.
SENTENCES: dict[str, tuple[str, bool]] = {
    "TOKEN_ENDPOINT_400": (f"refuses the request for a token (400); {CREDENTIALS}, and BRIDGE_GATEWAY_SCOPE", True),
    "TOKEN_ENDPOINT_401": (f"refuses the credentials (401); {CREDENTIALS}", True),
    "TOKEN_ENDPOINT_403": (
        (
            "forbids the access (403): most likely the firewall before the gateway, which lets in known addresses only;"
            " have the address from which this machine reaches it put on the gateway's allow-list"
        ),
        False,
    ),
    "TOKEN_ENDPOINT_404": (f"has nothing there (404); {ADDRESS}", True),
    "TOKEN_ENDPOINT_405": (f"takes no POST there (405); {ADDRESS}", True),
    "TOKEN_UNREADABLE": (f"answered with something that is no token; {ADDRESS}", True),
    "TOKEN_NOT_BEARER": (f"gave a token of another kind than Bearer; {ADDRESS}", True),
    "CONNECT_REFUSED": (f"refuses the connection: nothing listens there; {ADDRESS}", False),
    "NAME_UNKNOWN": (f"has a name that DNS does not know; {ADDRESS}", False),
    "CONNECT_TIMEOUT": (f"does not answer in time (a firewall, or no route); {ADDRESS}", False),
    "TOTAL_TIMEOUT": ("took the request and did not answer in time; try again, or raise BRIDGE_GATEWAY_TOTAL_…", False),
    "READ_TIMEOUT": ("took the request and did not answer in time; try again, or raise BRIDGE_GATEWAY_READ_…", False),
    "BAD_URL": (f"cannot be asked: it is no http or https URL; {ADDRESS}", True),
}


@dataclass(frozen=True)
class TokenAnswer:
    """What the token endpoint said. `ours` tells that a setting is to be mended, else somebody outside has to act."""

    said: str
    fine: bool
    ours: bool = False


async def ask_for_token(settings: GatewaySettings, clock: Clock) -> TokenAnswer:
    """Ask once. Nothing secret, and nothing that the endpoint wrote, is in what it said."""
    try:
        token_url = endpoints(settings).token_url
        client = http_client(settings)
    except ProfileError as error:
        return TokenAnswer(str(error), fine=False, ours=True)
    except OSError as error:
        why = getattr(error, "reason", None) or error.strerror
        files = "BRIDGE_GATEWAY_CA_FILE, BRIDGE_GATEWAY_CLIENT_CERT_FILE or BRIDGE_GATEWAY_CLIENT_KEY_FILE"
        return TokenAnswer(f"{files} cannot be used ({why}); PEM files are needed", fine=False, ours=True)
    tokens = TokenSource(client, token_url, settings, monotonic=time.monotonic, now=clock.now)
    try:
        await tokens.token()
    except NoToken as refusal:
        said, ours = _told(refusal, settings)
        return TokenAnswer(f"the token endpoint {_place(token_url)} {said}", fine=False, ours=ours)
    finally:
        await tokens.aclose()
        await client.aclose()
    return TokenAnswer(f"{_place(token_url)} gave a token to {settings.client_id}", fine=True)


def _told(refusal: NoToken, settings: GatewaySettings) -> tuple[str, bool]:
    for error in _chain(refusal.cause):
        if isinstance(error, ssl.SSLCertVerificationError):
            return _distrusted(error)
        if isinstance(error, ssl.SSLError) and error.reason is not None:
            return _not_agreed(error.reason)
    if refusal.why in SENTENCES:
        return SENTENCES[refusal.why]
    if refusal.why.startswith("TOKEN_ENDPOINT_5"):
        return f"is out of order ({refusal.why.removeprefix('TOKEN_ENDPOINT_')}); try again later", False
    if refusal.why in BROKEN_OFF and settings.client_cert_file is None:
        # In TLS 1.3 the server looks at the client's certificate after our side of the handshake is over, and its alert
        # is easily lost with the connection (RFC 8446 section 4.4.2.4).
        return f"ends the connection without an answer, {WANTS_CERTIFICATE}", False
    return f"gave no token ({refusal.why}); {ADDRESS}", False


def _distrusted(error: ssl.SSLCertVerificationError) -> tuple[str, bool]:
    if error.verify_code in WRONG_NAME:
        return f"shows a certificate for another name ({error.verify_message}); {ADDRESS}", True
    if error.verify_code == EXPIRED:
        return "shows a certificate that has expired; nothing here mends that: the gateway must renew it", False
    return (
        (
            f"shows a certificate that is not to be trusted ({error.verify_message}); BRIDGE_GATEWAY_CA_FILE must hold"
            " the authority that signed it"
        ),
        True,
    )


def _not_agreed(reason: str) -> tuple[str, bool]:
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason or "HANDSHAKE_FAILURE" in reason:
        return (
            (
                f"asks for a client certificate that it trusts, and got none or another one ({reason}); check"
                " BRIDGE_GATEWAY_CLIENT_CERT_FILE and BRIDGE_GATEWAY_CLIENT_KEY_FILE"
            ),
            True,
        )
    return f"speaks no TLS on this port ({reason}); check whether its URL begins with http or https", True


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that led to it; for one of aiohttp's, the one that it keeps inside."""
    while error is not None:
        inside = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
        yield inside if isinstance(inside, BaseException) else error
        error = error.__cause__ or error.__context__


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
