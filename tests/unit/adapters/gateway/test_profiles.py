import pytest

from bridge.adapters.gateway.profiles import Endpoints, ProfileError, endpoints
from bridge.settings import GatewaySettings


def of(**values: object) -> Endpoints:
    return endpoints(GatewaySettings.model_validate({"client_id": "id", "client_secret": "secret"} | values))


def test_production_is_the_published_address() -> None:
    assert of(profile="production") == Endpoints(
        base_url="https://prod.fibregateway.com/v1",
        token_url="https://prod.fibregateway.com/v1/auth/tenant/access-token",
    )


def test_cvt_needs_an_address_because_none_is_published() -> None:
    assert of(profile="cvt", base_url="https://cvt.example/v1").base_url == "https://cvt.example/v1"


def test_an_own_base_url_goes_before_the_profiles_and_loses_its_last_slash() -> None:
    assert of(profile="production", base_url="http://egress:8080/v1/") == Endpoints(
        base_url="http://egress:8080/v1", token_url="http://egress:8080/v1/auth/tenant/access-token"
    )


def test_a_token_url_of_its_own_is_used() -> None:
    assert of(base_url="https://a.example/v1", token_url="https://b.example/t").token_url == "https://b.example/t"


@pytest.mark.parametrize("url", ["https://gateway/v1?x=1", "https://gateway/v1#x"])
def test_an_address_that_nothing_can_be_put_behind_is_refused_by_its_variable(url: str) -> None:
    with pytest.raises(ProfileError, match=r"^BRIDGE_GATEWAY_BASE_URL: "):
        of(base_url=url)
    with pytest.raises(ProfileError, match=r"^BRIDGE_GATEWAY_TOKEN_URL: "):
        of(base_url="https://gateway/v1", token_url=url)
