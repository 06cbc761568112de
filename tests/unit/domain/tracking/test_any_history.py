"""What holds for every history, however it is lost, doubled, shuffled and mixed with answers."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.domain.correlation import conversation_id
from bridge.domain.entities import SERVICE_PROBLEM, SERVICE_TEST, Entity, Kci, Update
from bridge.domain.lifecycle import PROBLEM, TEST, Lifecycle
from bridge.domain.reading import Unreadable, read_kci
from bridge.domain.statuses import ActionState
from bridge.domain.tracking.actions import WAITS_IN
from tests.unit.domain.tracking.story import START, TICKET, Story, action, information, request, resolution

TABLES = {SERVICE_PROBLEM: PROBLEM, SERVICE_TEST: TEST}
LONG = st.integers(-(2**63), 2**63 - 1)
# Unique enough: what a supplier may send with any status.
ACTIONS = ["INFORMATION_REQUIRED", "REAPPOINT", "CONTACT_CUSTOMER", "RESUBMIT", "NEVER_SEEN"]


class Truth:
    """What really happened on the gateway: the KCIs in order, and what a GET shows after any of them."""

    def __init__(self, entity_type: str, kcis: list[tuple[str, Update]]) -> None:
        self.type = entity_type
        self.kcis = kcis

    def status(self, after: int | None = None) -> str:
        return self.kcis[: self._length(after)][-1][0]

    def updates(self, after: int | None = None) -> tuple[Update, ...]:
        """Empty for tests: their GET has none."""
        return () if self.type == SERVICE_TEST else tuple(told for _, told in self.kcis[: self._length(after)])

    def _length(self, after: int | None) -> int:
        return len(self.kcis) if after is None else after + 1


@st.composite
def truths(draw: st.DrawFn, *, numbered: bool, usual: bool = False) -> Truth:
    """With `usual`, what makes an entity wait comes only while it waits."""
    entity_type = draw(st.sampled_from([SERVICE_PROBLEM, SERVICE_TEST]))
    statuses = draw(_walks(TABLES[entity_type]))
    kcis = []
    for index, status in enumerate(statuses):
        fields: dict[str, Any] = {}
        if entity_type == SERVICE_PROBLEM:
            fields = draw(_contents(status, index, usual=usual))
        kcis.append((status, Update(id=f"kci-{index}", sequence_number=index + 1 if numbered else None, **fields)))
    return Truth(entity_type, kcis)


@st.composite
def _walks(draw: st.DrawFn, table: Lifecycle) -> list[str]:
    """A walk along the rows of a table that may stay where it is and may end anywhere."""
    statuses = ["RECEIVED_BY_GATEWAY"]
    for _ in range(draw(st.integers(0, 14))):
        following = [row.to_status for row in table.rows if row.from_status == statuses[-1]]
        statuses.append(draw(st.sampled_from([*following, statuses[-1]])))
    return statuses


def _contents(status: str, index: int, *, usual: bool) -> st.SearchStrategy[dict[str, Any]]:
    if status == "RESOLVED":
        return st.just({"action": action("CONFIRM"), "resolution": resolution(index)})
    if status in {"PENDING", "IN_PROGRESS"}:
        names = [name for name in ACTIONS if not usual or status == WAITS_IN.get(name, status)]
        asking = st.sampled_from(names).map(lambda name: {"action": action(name, "text")})
        amended = st.sampled_from(["PENDING", "COMPLETED", "REJECTED"]).map(
            lambda word: {"amendment": request(index, word)}
        )
        return st.one_of(st.just({}), asking, amended)
    return st.sampled_from([{}, {"information": information("ADDITIONAL")}, {"information": information("UPDATE")}])


Step = Callable[[Story], object]


@st.composite
def deliveries(draw: st.DrawFn, truth: Truth, *, with_gets: bool = True) -> list[Step]:
    """KCIs of the truth, some lost and some doubled, in any order, mixed with answers from any time of it."""
    indices = list(range(len(truth.kcis)))
    arriving = draw(st.lists(st.sampled_from(indices), max_size=2 * len(indices)))
    order = draw(st.one_of(st.just(arriving), st.permutations(arriving), st.just(sorted(arriving))))
    steps: list[Step] = [partial(_deliver, truth=truth, index=index) for index in order]
    if with_gets:
        for index in draw(st.lists(st.sampled_from(indices), max_size=3)):
            step = partial(_get, truth=truth, after=index)
            steps.insert(draw(st.integers(0, len(steps))), step)
    if draw(st.booleans()):
        steps.insert(draw(st.integers(0, len(steps))), lambda story: story.post("RECEIVED_BY_GATEWAY"))
    if draw(st.booleans()):
        steps.insert(draw(st.integers(0, len(steps))), lambda story: story.waits(timedelta(hours=9)))
    return steps


def _deliver(story: Story, truth: Truth, index: int) -> None:
    status, told = truth.kcis[index]
    story.hears(
        Kci(
            entity=Entity(type=truth.type, id="1", status=status),
            update=told,
            conversation_id=conversation_id(TICKET),
            request_id=None,
            received_at=story.now + timedelta(seconds=1),
        )
    )


def _get(story: Story, truth: Truth, after: int | None = None) -> None:
    story.get(truth.status(after), truth.updates(after))


def check_what_was_published(story: Story) -> None:
    transitions = story.transitions
    ids = [transition.transition_id for transition in transitions]
    assert len(ids) == len(set(ids))
    signal_ids = [signal.signal_id for folded in story.folded for signal in folded.signals]
    assert len(signal_ids) == len(set(signal_ids))
    before = None
    for transition in transitions:
        assert transition.from_status == before, "each transition starts where the last applied one ended"
        if transition.applied:
            before = transition.to_status
    assert before == story.status
    assert [status.transitions for status in story.statuses] == sorted(status.transitions for status in story.statuses)
    if story.statuses:
        assert story.statuses[-1].transitions == len(story.applied)
        assert story.statuses[-1].status == story.status
    assert story.state is not None
    remembered = {opened.record.action_id: opened.record for opened in story.state.actions}
    assert {told.action_id: told for told in _believed_open(story)} == remembered
    if story.state.ended:
        assert remembered == {}


def _believed_open(story: Story) -> list[Any]:
    latest = {told.action_id: told for folded in story.folded for told in folded.actions}
    return [told for told in latest.values() if told.state is ActionState.REQUIRED]


@settings(max_examples=200, deadline=None)
@given(data=st.data(), numbered=st.booleans())
def test_after_a_get_of_the_truth_the_status_is_the_truth(data: st.DataObject, *, numbered: bool) -> None:
    truth = data.draw(truths(numbered=numbered))
    story = Story(truth.type)
    for step in data.draw(deliveries(truth)):
        step(story)
    _get(story, truth)
    assert story.status == truth.status()
    check_what_was_published(story)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_what_arrives_after_a_get_of_the_truth_changes_nothing(data: st.DataObject) -> None:
    truth = data.draw(truths(numbered=True).filter(lambda truth: truth.type == SERVICE_PROBLEM))
    story = Story(truth.type)
    for step in data.draw(deliveries(truth)):
        step(story)
    _get(story, truth)
    settled = story.state
    for index in data.draw(st.permutations(range(len(truth.kcis)))):
        _deliver(story, truth, index)
        assert story.last.duplicate
    assert story.state == settled


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_numbered_kcis_lead_to_the_same_in_any_order(data: st.DataObject) -> None:
    truth = data.draw(truths(numbered=True))
    in_order, shuffled = Story(truth.type), Story(truth.type)
    for index in range(len(truth.kcis)):
        _deliver(in_order, truth, index)
    for index in data.draw(st.permutations(range(len(truth.kcis)))):
        _deliver(shuffled, truth, index)
    assert shuffled.status == in_order.status == truth.status()
    assert _requests(shuffled) == _requests(in_order)
    assert {told.action_id for told in _believed_open(shuffled)} == {
        told.action_id for told in _believed_open(in_order)
    }
    check_what_was_published(shuffled)


def _requests(story: Story) -> set[tuple[str, int | None, str | None]]:
    assert story.state is not None
    return {(known.kind, known.id, known.status) for known in story.state.requests}


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_word_is_lost_to_people_even_if_every_kci_is(data: st.DataObject) -> None:
    truth = data.draw(truths(numbered=True, usual=True).filter(lambda truth: truth.type == SERVICE_PROBLEM))
    in_order, found = Story(truth.type), Story(truth.type)
    for index in range(len(truth.kcis)):
        _deliver(in_order, truth, index)
    _get(found, truth)
    open_in_order = {told.action_id for told in _believed_open(in_order)}
    assert open_in_order <= {told.action_id for told in _believed_open(found)}


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), LONG, st.floats(), st.text(max_size=8), st.sampled_from(["PENDING", "CONFIRM"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["id", "status", "type", "text", "code", "uuid", "messages"]), inner),
    ),
    max_leaves=6,
)
BODIES = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "b", "c", 4]), "entityType": st.sampled_from([SERVICE_PROBLEM, SERVICE_TEST])},
    optional={
        "sequenceNumber": st.one_of(LONG, st.integers(0, 5), JSON),
        "updateType": st.one_of(st.just("ACTION_REQUIRED"), JSON),
        "issuedOn": st.one_of(st.datetimes().map(str), JSON),
        "information": JSON,
        "action": JSON,
        "error": JSON,
        "serviceProblemResolution": JSON,
        "serviceProblemAmendment": JSON,
        "serviceProblemCancellation": JSON,
    },
)
ENTITIES = st.fixed_dictionaries(
    {"id": st.just(1)},
    optional={
        "status": st.one_of(st.sampled_from([*PROBLEM.statuses]), JSON),
        "result": JSON,
        "serviceProblemResolution": JSON,
        "serviceProblemAmendment": JSON,
        "externalIdentifier": JSON,
        "anything": JSON,
    },
)


@settings(max_examples=50, deadline=None)
@given(bodies=st.lists(st.tuples(BODIES, ENTITIES), min_size=1, max_size=8), data=st.data())
def test_no_json_whatever_makes_the_tracker_fail(
    bodies: list[tuple[dict[str, Any], dict[str, Any]]], data: st.DataObject
) -> None:
    entity_type = data.draw(st.sampled_from([SERVICE_PROBLEM, SERVICE_TEST]))
    story = Story(entity_type)
    for body, entity in bodies:
        try:
            read, told = read_kci({**body, "entityType": entity_type, "entity": entity})
        except Unreadable:
            continue
        conversation = data.draw(st.one_of(st.none(), st.text(max_size=6), st.just(conversation_id(TICKET))))
        story.hears(Kci(entity=read, update=told, conversation_id=conversation, request_id=None, received_at=story.now))
        if data.draw(st.booleans()):
            story.get(read.status, (told, *data.draw(st.lists(_any_update(), max_size=3))), entity=read)
    if story.folded:
        story.waits(timedelta(days=1))
        assert story.now > START


def _any_update() -> st.SearchStrategy[Update]:
    return st.builds(
        Update,
        id=st.text(max_size=3),
        sequence_number=st.one_of(st.none(), LONG),
        update_type=st.one_of(st.none(), st.text(max_size=3)),
        issued_on=st.one_of(st.none(), st.datetimes().map(str), st.text(max_size=3)),
    )
