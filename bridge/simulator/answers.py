"""The bodies that the gateway answers with, as tables of fields (contract 1.3 to 1.9); read by `openapi`."""

from typing import Final

from bridge.simulator import words
from bridge.simulator.limits import (
    AMENDMENT_REQUEST,
    CANCELLATION_REQUEST,
    IDENTIFIER,
    LONG_TEXT,
    NAMED_SPECIFICATION,
    PROBLEM_REQUEST,
    REFERENCE,
    TEST_REQUEST,
    WHEN,
    Field,
    Flag,
    Kind,
    Listing,
    Number,
    Shape,
    Text,
)


def _answer(name: str, request: Shape, *extra: Field) -> Shape:
    """The request's fields given back, with the gateway's own in front and the specification named."""
    replaced: dict[str, Kind] = {"serviceSpecification": NAMED_SPECIFICATION}
    given_back = (Field(field.name, replaced.get(field.name, field.kind), field.required) for field in request.fields)
    return Shape(name, (Field("id", IDENTIFIER, required=True), *extra, *given_back), strict=False)


ERROR: Final = Shape(  # contract 1.9
    "Error",
    (
        Field("uuid", Text(form="uuid"), required=True),
        Field("code", Text(one_of=words.ERROR_CODES), required=True),
        Field("messages", Listing(Text()), required=True),
    ),
    strict=False,
)

REQUEST_STATUS: Final = Field("status", Text(one_of=words.REQUEST_STATUSES), required=True)
AMENDMENT: Final = _answer("ServiceProblemAmendment", AMENDMENT_REQUEST, REQUEST_STATUS)
CANCELLATION: Final = _answer("ServiceProblemCancellation", CANCELLATION_REQUEST, REQUEST_STATUS)

RESOLUTION_DETAILS: Final = Shape(
    "ResolutionDetails",
    (
        Field("resolutionCode", Text(pattern=r"[\w_]{5,25}"), required=True),
        Field("resolutionCategory", Text()),
        Field("resolutionText", Text(0, 256)),
        Field("supplierCodes", Listing(Text())),
        Field("faultCode", Listing(Text(), fewest=1)),
    ),
    strict=False,
)
RESOLUTION: Final = Shape(  # contract 1.8
    "ServiceProblemResolution",
    (
        Field("id", IDENTIFIER, required=True),
        Field("serviceProblemId", IDENTIFIER, required=True),
        Field("status", Text(one_of=words.RESOLUTION_STATUSES), required=True),
        Field("resolvedDate", WHEN, required=True),
        Field("closedDate", WHEN),
        Field("resolutionDetails", RESOLUTION_DETAILS, required=True),
        Field("slaViolation", Listing(Text(), fewest=1)),
        Field("tenantNotes", LONG_TEXT),
    ),
    strict=False,
)

SUPPLIER_NOTE: Final = Shape(
    "SupplierNote",
    (Field("note", Text(), required=True), Field("type", Text()), Field("created", WHEN, required=True)),
    strict=False,
)
INFORMATION: Final = Shape(
    "Information",
    (
        Field("type", Text(), required=True),
        Field("code", Text()),
        Field("text", Text()),
        Field("supplierCodes", Listing(Text())),
        Field("supplierCode", Text()),
    ),
    strict=False,
)
ACTION: Final = Shape("Action", (Field("type", Text(), required=True), Field("text", Text())), strict=False)
UPDATE: Final = Shape(  # contract 1.4
    "ServiceProblemUpdate",
    (
        Field("id", Text(form="uuid"), required=True),
        Field("supplier", Text(), required=True),
        Field("sequenceNumber", Number()),
        Field("issuedOn", WHEN),
        Field("receivedOn", WHEN),
        Field("deliveredOn", WHEN),
        Field("deliveryStatus", Text(one_of=words.DELIVERY_STATUSES), required=True),
        Field("updateType", Text(one_of=words.UPDATE_TYPES), required=True),
        Field("supplierNotes", Listing(SUPPLIER_NOTE)),
        Field("information", INFORMATION),
        Field("action", ACTION),
        Field("error", ERROR),
        Field("serviceProblemResolution", RESOLUTION),
        Field("serviceProblemAmendment", AMENDMENT),
        Field("serviceProblemCancellation", CANCELLATION),
    ),
    strict=False,
)

PROBLEM: Final = _answer(  # contract 1.3
    "ServiceProblem",
    PROBLEM_REQUEST,
    Field("status", Text(one_of=words.PROBLEM_STATUSES), required=True),
    Field("created", WHEN),
    Field("updated", WHEN),
    Field("supplierIdentifier", REFERENCE),
    Field("updates", Listing(UPDATE)),
)

MEASURE: Final = Shape(
    "TestMeasure",
    (
        Field("metricName", Text()),
        Field("captureDateTime", WHEN),
        Field("metricValue", Text()),
        Field("unitOfMeasure", Text()),
        Field("ruleViolation", Flag()),
        Field("ruleSeverity", Text()),
    ),
    strict=False,
)
OUTCOME: Final = Shape(
    "TestOutcome", (Field("testResult", Text(one_of=words.TEST_RESULTS)), Field("code", Text())), strict=False
)
RESULT: Final = Shape(
    "ServiceTestResult",
    (Field("testValidity", WHEN), Field("testMeasures", Listing(MEASURE)), Field("testOutcome", OUTCOME)),
    strict=False,
)
TEST: Final = _answer(  # contract 1.7
    "ServiceTest",
    TEST_REQUEST,
    Field("status", Text(one_of=words.TEST_STATUSES), required=True),
    Field("created", WHEN),
    Field("updated", WHEN),
    Field("supplierReference", REFERENCE),
)
TEST_WITH_RESULT: Final = Shape("ServiceTestWithResult", (*TEST.fields, Field("result", RESULT)), strict=False)
TOKEN: Final = Shape(  # contract 4.1
    "AccessToken",
    (
        Field("access_token", Text(), required=True),
        Field("expires_in", Number(), required=True),
        Field("token_type", Text(), required=True),
    ),
    strict=False,
)
