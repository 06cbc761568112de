"""Input that cannot be used: each kind is told clearly, nothing of it is lost, and what comes behind is handled."""

import json
from typing import Any

import pytest

from bridge.domain.dead_letters import DeadLetter, QuarantinedKci
from bridge.domain.entities import Kci
from bridge.domain.journeys import End, Phase
from bridge.domain.outcomes import GatewayOutcome, Verdict
from tests.builders import (
    PERSONAL,
    a_cancellation,
    a_contact,
    a_report,
    an_amendment,
    an_answer,
    an_event,
)
from tests.integration.bridge_under_test import BridgeUnderTest, Ticket
from tests.integration.conftest import RunningBridge
from tests.integration.topic_watch import CODEC
from tests.webhook_doubles import a_kci, as_body

LONGEST_BODY = 4096
UNKNOWN_FINGERPRINT = b"\xc3\x01" + b"\x11" * 8 + b"what follows nobody can read"
REGISTRYS_OWN = b"\x00\x00\x00\x30\x39" + b"written with schema 12345"
NOTHING_KNOWN = b"\xff\xfe a picture of a cat"


@pytest.fixture(scope="module")
def bridge(running_bridge: RunningBridge) -> BridgeUnderTest:
    return running_bridge("bad-input", settings={"BRIDGE_WEBHOOK_MAX_BODY_BYTES": str(LONGEST_BODY)})


def encoded(ticket: Ticket, **changes: Any) -> bytes:
    """A report of a fault as it is on the topic."""
    report = a_report(service_id=ticket.service_id, **changes)
    return CODEC.encode("fault-tickets", an_event(report, ticket_id=ticket.id))


def dead_letter(bridge: BridgeUnderTest, topic: str, place: tuple[int, int]) -> DeadLetter:
    """Wait for the dead letter of the record that was written to this partition and offset."""
    wanted = f"{topic}-{place[0]}-{place[1]}"

    def found() -> list[DeadLetter]:
        return [each for each in bridge.values("dead-letters", DeadLetter) if each.dead_letter_id == wanted]

    (letter,) = bridge.wait_until(found, f"dead letter {wanted}")
    return letter


@pytest.mark.parametrize(
    ("value", "reason", "sentence"),
    [
        (NOTHING_KNOWN, "UNDECODABLE", "neither Avro single-object encoding"),
        (b"", "UNDECODABLE", ""),
        (UNKNOWN_FINGERPRINT, "UNKNOWN_SCHEMA", "no version of a schema here has the fingerprint"),
        (REGISTRYS_OWN, "UNKNOWN_SCHEMA", "12345"),
    ],
    ids=["no framing", "empty", "unknown fingerprint", "unknown schema id"],
)
def test_a_ticket_event_that_cannot_be_read_is_a_dead_letter_with_its_bytes_and_the_next_is_handled(
    bridge: BridgeUnderTest, value: bytes, reason: str, sentence: str
) -> None:
    ticket = bridge.ticket("TEST_GREEN")
    key = ticket.id.encode()

    place, _ = bridge.write("fault-tickets", [(key, value), (key, encoded(ticket))])

    letter = dead_letter(bridge, "fault-tickets", place)
    assert (letter.reason.value, letter.key, letter.value) == (reason, key, value)
    assert (letter.topic, letter.partition, letter.offset) == ("fault-tickets", *place)
    assert sentence in letter.error
    assert letter.service == "dispatcher"
    bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.TEST_GREEN)


def test_a_truncated_event_is_a_dead_letter(bridge: BridgeUnderTest) -> None:
    ticket = bridge.ticket("TEST_GREEN")
    whole = encoded(ticket)

    place, _ = bridge.write("fault-tickets", [(ticket.id.encode(), whole[:-7]), (ticket.id.encode(), whole)])

    letter = dead_letter(bridge, "fault-tickets", place)
    assert (letter.reason.value, letter.value) == ("UNDECODABLE", whole[:-7])
    assert not any(word in letter.error for word in PERSONAL)
    bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.TEST_GREEN)


def test_an_event_under_the_key_of_another_ticket_is_a_dead_letter(bridge: BridgeUnderTest) -> None:
    ticket, other = bridge.ticket("TEST_GREEN"), bridge.ticket("TEST_GREEN")
    value = encoded(ticket)

    place, without_key, _ = bridge.write(
        "fault-tickets", [(other.id.encode(), value), (None, value), (other.id.encode(), encoded(other))]
    )

    for letter in (
        dead_letter(bridge, "fault-tickets", place),
        dead_letter(bridge, "fault-tickets", without_key),
    ):
        assert (letter.reason.value, letter.value) == ("WRONG_KEY", value)
    bridge.wait_for_journey(other, phase=Phase.ENDED, end=End.TEST_GREEN)
    assert bridge.told(ticket) == []


def test_a_kci_record_that_cannot_be_read_is_a_dead_letter_of_the_tracker(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("HAPPY_PATH")
    journey = bridge.wait_for_journey(ticket, problem_status="RESOLVED")
    key = f"SERVICE_PROBLEM:{journey.problem_id}".encode()

    (place,) = bridge.write("kcis", [(key, UNKNOWN_FINGERPRINT)])

    letter = dead_letter(bridge, "kcis", place)
    assert (letter.reason.value, letter.value, letter.service) == ("UNKNOWN_SCHEMA", UNKNOWN_FINGERPRINT, "tracker")
    bridge.tell(ticket, an_answer())
    bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.COMPLETED)
    assert bridge.statuses("problem-status")[str(journey.problem_id)].status == "COMPLETED"


def test_all_violations_of_an_event_are_in_one_outcome_that_repeats_no_value(bridge: BridgeUnderTest) -> None:
    ticket = bridge.ticket("HAPPY_PATH")
    contact = a_contact(phone_number="no phone, ring Ada Lovelace", email="nobody")
    bridge.tell(
        ticket,
        a_report(
            service_id="S" * 51,
            problem_type="NO_SUCH_TYPE",
            problem_text="too short",
            notes="weeping " * 126,
            primary_contact=contact,
            characteristics=(),
            supplier="a supplier",
        ),
    )

    outcome = bridge.wait_for_outcome(ticket, "RAISE_PROBLEM NOT_SENT INVALID")

    assert {violation.field for violation in outcome.violations} == {
        "event.service_id",
        "event.supplier",
        "event.problem_type",
        "event.problem_text",
        "event.notes",
        "event.characteristics",
        "event.primary_contact.phone_number",
        "event.primary_contact.email",
    }
    by_field = {violation.field: violation for violation in outcome.violations}
    assert by_field["event.service_id"].value_class == "string of 51 characters"
    assert by_field["event.service_id"].limit == "1..50 characters"
    assert by_field["event.notes"].value_class == "string of 1008 characters"
    (raw,) = [seen.raw for seen in bridge.records("gateway-outcomes") if seen.key == ticket.id]
    assert raw is not None
    for value in (*PERSONAL, "no phone", "nobody", "too short", "a supplier", "NO_SUCH_TYPE", "SSS"):
        assert value.encode() not in raw
    assert bridge.gateway.entries(conversation_id=ticket.conversation_id) == []

    bridge.tell(ticket, a_report(service_id=ticket.service_id))
    bridge.wait_for_journey(ticket, problem_status="RESOLVED")


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (an_answer("PENDING"), {"event.answer"}),
        (an_answer("REJECTED", notes=None), {"event.notes"}),
        (a_cancellation(reason_code="no longer"), {"event.reason_code"}),
        (an_amendment(notes=None), {"event.problem_text"}),
        (an_amendment(problem_text="x" * 81, hazards=""), {"event.problem_text", "event.hazards"}),
    ],
    ids=["PENDING", "REJECTED without notes", "reason code", "nothing amended", "two fields"],
)
def test_an_invalid_event_about_an_open_problem_leaves_it_as_it_is(
    bridge: BridgeUnderTest, resolved: Ticket, content: Any, fields: set[str]
) -> None:
    before = len(bridge.outcomes(resolved))
    commands = bridge.gateway.commands(resolved.conversation_id)

    (event,) = bridge.tell(resolved, content)

    outcome = bridge.wait_until(lambda: bridge.outcomes(resolved)[before:], "an outcome")[0]
    assert (outcome.event_id, outcome.verdict, outcome.reason) == (event.event_id, Verdict.NOT_SENT, "INVALID")
    assert {violation.field for violation in outcome.violations} == fields
    assert bridge.gateway.commands(resolved.conversation_id) == commands
    assert bridge.journeys()[resolved.id].problem_status == "RESOLVED"


@pytest.fixture(scope="module")
def resolved(bridge: BridgeUnderTest) -> Ticket:
    """A ticket whose problem is resolved, and waits for its answer."""
    ticket = bridge.report("HAPPY_PATH")
    bridge.wait_for_journey(ticket, problem_status="RESOLVED")
    return ticket


def test_events_of_a_ticket_nobody_reported_are_told_so_and_its_report_may_still_come(bridge: BridgeUnderTest) -> None:
    ticket = bridge.ticket("TEST_GREEN")
    bridge.tell(ticket, an_amendment(), a_cancellation(), an_answer())

    outcome = bridge.wait_for_outcome(ticket, "ANSWER_RESOLUTION NOT_SENT UNKNOWN_TICKET")
    assert "send FaultReported first" in outcome.message
    assert bridge.told(ticket) == [
        "AMEND_PROBLEM NOT_SENT UNKNOWN_TICKET",
        "CANCEL_PROBLEM NOT_SENT UNKNOWN_TICKET",
        "ANSWER_RESOLUTION NOT_SENT UNKNOWN_TICKET",
    ]
    bridge.tell(ticket, a_report(service_id=ticket.service_id))
    bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.TEST_GREEN)


def test_an_answer_before_any_resolution_and_a_second_report_are_told_so(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("AMENDMENT_ACCEPTED")
    bridge.wait_for_journey(ticket, problem_status="IN_PROGRESS")
    bridge.tell(ticket, an_answer(), a_report(service_id=ticket.service_id), an_amendment())

    bridge.wait_for_outcome(ticket, "ANSWER_RESOLUTION NOT_SENT NO_PENDING_RESOLUTION")
    bridge.wait_for_outcome(ticket, "RAISE_PROBLEM NOT_SENT ALREADY_REPORTED")
    bridge.wait_for_outcome(ticket, "AMEND_PROBLEM ACCEPTED")
    bridge.wait_for_journey(ticket, problem_status="RESOLVED")
    assert len(bridge.gateway.problems(external_identifier=ticket.id)) == 1


def test_an_event_that_comes_twice_is_told_so_and_done_once(bridge: BridgeUnderTest) -> None:
    ticket = bridge.ticket("HAPPY_PATH")
    report = an_event(a_report(service_id=ticket.service_id), ticket_id=ticket.id)
    bridge.send([report, report])
    bridge.wait_for_journey(ticket, problem_status="RESOLVED")
    answer = an_event(an_answer(), ticket_id=ticket.id)
    bridge.send([answer, answer])

    bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.COMPLETED)

    bridge.wait_for_outcome(ticket, "RAISE_PROBLEM NOT_SENT DUPLICATE_EVENT")
    bridge.wait_for_outcome(ticket, "ANSWER_RESOLUTION NOT_SENT DUPLICATE_EVENT")
    operations = [each["operation"] for each in bridge.gateway.commands(ticket.conversation_id)]
    assert operations == ["tests", "problems", "resolutions"]


def test_events_after_the_end_are_told_so(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("TEST_GREEN")
    bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.TEST_GREEN)
    asked = len(bridge.gateway.commands(ticket.conversation_id))

    bridge.tell(ticket, an_amendment(), a_cancellation(), an_answer(), a_report(service_id=ticket.service_id))

    bridge.wait_for_outcome(ticket, "RAISE_PROBLEM NOT_SENT AFTER_END")
    assert [told.split()[0] for told in bridge.told(ticket) if told.endswith("NOT_SENT AFTER_END")] == [
        "AMEND_PROBLEM",
        "CANCEL_PROBLEM",
        "ANSWER_RESOLUTION",
        "RAISE_PROBLEM",
    ]
    assert len(bridge.gateway.commands(ticket.conversation_id)) == asked


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b'{"notes": "Ada Lovelace', {}, 400, "NOT_JSON"),
        (as_body({"notes": PERSONAL[0]}), {}, 422, "NOT_A_KCI"),
        (as_body(a_kci(entity={"status": "IN_PROGRESS"})), {}, 422, "NOT_A_KCI"),
        (as_body(a_kci()), {"Content_Type": "text/plain"}, 415, "WRONG_MEDIA_TYPE"),
        (as_body(a_kci()), {"X_Request_ID": ""}, 400, "MISSING_HEADERS"),
        (as_body(a_kci(filler="x" * LONGEST_BODY)), {}, 413, "TOO_LARGE"),
        (b"[" * 40 + b"]" * 40, {}, 400, "TOO_DEEP"),
    ],
    ids=["not JSON", "no KCI", "no id", "media type", "header missing", "too large", "too deep"],
)
def test_a_delivery_that_cannot_be_a_kci_is_refused_and_kept_with_its_bytes(
    bridge: BridgeUnderTest, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    answer = bridge.deliver(body, **headers)

    bridge.catch_up()  # it is kept before it is refused, so no waiting

    error = answer.json()
    assert (answer.status_code, set(error)) == (status, {"uuid", "code", "messages"})
    assert not any(word in answer.text for word in PERSONAL)
    kept = {each.quarantine_id: each for each in bridge.values("kci-quarantine", QuarantinedKci)}[error["uuid"]]
    assert (kept.reason.value, [kept.error]) == (reason, error["messages"])
    assert kept.body == body[:LONGEST_BODY]
    assert kept.truncated is (len(body) > LONGEST_BODY)


def test_a_delivery_without_the_right_credentials_is_refused_and_a_good_one_behind_is_taken(
    bridge: BridgeUnderTest,
) -> None:
    body = as_body(a_kci(id="from-a-stranger"))
    for credentials in ("", "Basic Z2F0ZXdheTp3cm9uZw==", "Bearer abc"):
        answer = bridge.deliver(body, Authorization=credentials)
        assert (answer.status_code, answer.json()["code"]) == (401, "NOT_AUTHORISED")
        assert answer.headers["www-authenticate"].startswith("Basic")

    assert bridge.deliver(as_body(a_kci(id="from-the-gateway"))).status_code == 200

    bridge.catch_up()
    ids = {kci.update.id for kci in bridge.values("kcis", Kci)}
    assert "from-the-gateway" in ids
    assert "from-a-stranger" not in ids


def test_a_kci_about_nobodys_problem_becomes_a_status_without_a_ticket(bridge: BridgeUnderTest) -> None:
    assert bridge.deliver(as_body(a_kci(id="nobodys", entity={"id": 880088, "status": "IN_PROGRESS"}))).is_success

    status = bridge.wait_until(lambda: bridge.statuses("problem-status").get("880088"), "a status")

    assert status is not None
    assert (status.status, status.ticket_id) == ("IN_PROGRESS", None)


def test_what_came_in_is_counted_and_nothing_of_it_is_in_the_logs(bridge: BridgeUnderTest) -> None:
    """After all of the above: each bad record has one dead letter, and no value of any of them was logged."""
    letters = [each.dead_letter_id for each in bridge.values("dead-letters", DeadLetter)]
    outcomes = [each.outcome_id for each in bridge.values("gateway-outcomes", GatewayOutcome)]

    assert len(letters) == len(set(letters)) == 8
    assert len(outcomes) == len(set(outcomes))
    logs = bridge.logs()
    assert [word for word in (*PERSONAL, "no phone", "picture of a") if word in logs] == []
    assert json.dumps("dead letter") in logs
