"""The document says what the checks do."""

import json
import re
from typing import Any

from bridge.simulator import openapi
from tests.simulator.tenant import Json, Tenant


def test_it_describes_seven_operations_and_the_token_endpoint() -> None:
    paths = openapi.document("/v1")["paths"]
    assert {(method, path) for path, methods in paths.items() for method in methods} == {
        ("post", "/service-problems"),
        ("get", "/service-problems/{id}"),
        ("post", "/service-problem-amendments"),
        ("post", "/service-problem-cancellations"),
        ("patch", "/service-problem-resolutions/{id}"),
        ("post", "/service-tests"),
        ("get", "/service-tests/{id}"),
        ("post", "/auth/tenant/access-token"),
    }
    assert set(paths["/service-problems/{id}"]["get"]["responses"]) == {
        "200",
        "400",
        "401",
        "403",
        "404",
        "422",
        "500",
        "503",
    }
    assert "404" not in paths["/service-problem-resolutions/{id}"]["patch"]["responses"]
    assert "content" not in paths["/service-tests"]["post"]["responses"]["503"]


def test_every_reference_leads_somewhere() -> None:
    document = openapi.document("/v1")
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references == set(document["components"]["schemas"])


def test_limits_are_written_as_json_schema() -> None:
    schemas: Any = openapi.document("/v1")["components"]["schemas"]
    problem = schemas["CreateServiceProblem"]
    assert problem["properties"]["problemText"] == {"type": "string", "minLength": 10, "maxLength": 80}
    assert problem["properties"]["supplier"]["pattern"] == r"^[\w_]{1,20}$"
    assert problem["properties"]["serviceTestId"] == {"type": "integer", "minimum": 1}
    assert problem["properties"]["characteristics"]["minItems"] == 1
    assert problem["additionalProperties"] is False
    assert set(problem["required"]) >= {"serviceTestId", "primaryContact", "notes"}
    assert len(schemas["ServiceProblem"]["properties"]["status"]["enum"]) == 14


async def test_it_is_served(tenant: Tenant) -> None:
    served: Json = await tenant.get("/openapi.json")
    assert served == json.loads(json.dumps(openapi.document("/v1")))
