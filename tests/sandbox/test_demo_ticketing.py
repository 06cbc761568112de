"""When the demo's ticketing system sends what, judged by the topics alone."""

from bridge.cli.demo.board import Board
from bridge.cli.demo.stories import Story, When
from bridge.cli.demo.ticketing import BETWEEN_REPORTS_SECONDS, THINKING_SECONDS, TicketingSystem, is_finished
from bridge.domain.statuses import ActionState
from bridge.domain.tickets import FaultTicketEvent, ResolutionAnswered
from tests.builders import an_amendment, an_event
from tests.demo_records import TICKET, a_journey, a_story, an_action, an_answer_event, an_ended_journey

RESOLVED = When(status="RESOLVED", action="CONFIRM")
LONG = 10 * (BETWEEN_REPORTS_SECONDS + THINKING_SECONDS)


class Desk:
    """A ticketing system at a clock that the test moves."""

    def __init__(self, *stories: Story) -> None:
        self.seconds = 0.0
        self.sent: list[FaultTicketEvent] = []
        self.board = Board(story.ticket_id for story in stories)
        self.system = TicketingSystem(stories, self.board, self._send, lambda: self.seconds)

    async def _send(self, event: FaultTicketEvent) -> None:
        self.sent.append(event)

    async def after(self, seconds: float) -> list[str]:
        """What is sent when so much time has passed since the last look."""
        before = len(self.sent)
        self.seconds += seconds
        await self.system.act()
        return [event.event_id for event in self.sent[before:]]


async def test_reports_come_one_after_the_other() -> None:
    desk = Desk(a_story(ticket="FLT-1"), a_story(ticket="FLT-2"))

    assert await desk.after(0) == ["FLT-1/1"]
    assert await desk.after(BETWEEN_REPORTS_SECONDS / 2) == []
    assert await desk.after(BETWEEN_REPORTS_SECONDS) == ["FLT-2/1"]
    assert await desk.after(LONG) == []


async def test_an_answer_is_sent_when_the_problem_is_resolved_and_its_answer_is_asked_for() -> None:
    desk = Desk(a_story((RESOLVED, an_answer_event(2))))
    await desk.after(0)
    desk.board.apply(a_journey(problem_status="RESOLVED"))
    assert await desk.after(LONG) == [], "nobody asked yet"
    desk.board.apply(a_journey(problem_status="IN_PROGRESS"))
    desk.board.apply(an_action("CONFIRM"))
    assert await desk.after(LONG) == [], "not resolved yet"

    desk.board.apply(a_journey(problem_status="RESOLVED"))

    assert await desk.after(0) == [], "people think before they answer"
    assert await desk.after(THINKING_SECONDS) == [f"{TICKET}/2"]
    assert await desk.after(LONG) == []


async def test_an_answer_names_the_resolution_that_was_asked_about() -> None:
    desk = Desk(a_story((RESOLVED, an_answer_event(2))))
    await desk.after(0)
    desk.board.apply(a_journey(problem_status="RESOLVED"))
    desk.board.apply(an_action("CONFIRM", resolution_id=77))
    await desk.after(0)
    await desk.after(LONG)

    answer = desk.sent[-1].event
    assert isinstance(answer, ResolutionAnswered)
    assert answer.resolution_id == 77


async def test_one_question_is_answered_once_and_the_next_one_with_the_next_event() -> None:
    desk = Desk(
        a_story((RESOLVED, an_answer_event(2, "REJECTED", notes="Still slow.")), (RESOLVED, an_answer_event(3)))
    )
    await desk.after(0)
    desk.board.apply(a_journey(problem_status="RESOLVED"))
    desk.board.apply(an_action("CONFIRM", 1))
    await desk.after(0)

    assert await desk.after(LONG) == [f"{TICKET}/2"]
    assert await desk.after(LONG) == [], "the first question is still open, and answered"
    desk.board.apply(an_action("CONFIRM", 1, ActionState.SETTLED))
    desk.board.apply(an_action("CONFIRM", 2))
    await desk.after(0)
    assert await desk.after(LONG) == [f"{TICKET}/3"]


async def test_a_question_that_was_withdrawn_is_not_answered() -> None:
    desk = Desk(a_story((When(action="REAPPOINT"), an_answer_event(2))))
    await desk.after(0)
    desk.board.apply(an_action("REAPPOINT", 1))
    desk.board.apply(an_action("REAPPOINT", 1, ActionState.SETTLED))

    assert await desk.after(LONG) == []
    assert await desk.after(LONG) == []


async def test_events_of_a_ticket_keep_their_order() -> None:
    amendment = an_event(an_amendment(), ticket_id=TICKET, event_id=f"{TICKET}/2")
    desk = Desk(a_story((When(status="IN_PROGRESS"), amendment), (When(status="RESOLVED"), an_answer_event(3))))
    await desk.after(0)
    desk.board.apply(a_journey(problem_status="RESOLVED"))

    assert await desk.after(LONG) == []
    assert await desk.after(LONG) == [], "the amendment comes first, and its time has not come"


async def test_a_ticket_is_finished_at_its_end_and_when_nothing_is_left_to_be_sent() -> None:
    story = a_story((RESOLVED, an_answer_event(2)))
    desk = Desk(story)
    await desk.after(0)
    view = desk.board.views[TICKET]
    desk.board.apply(an_ended_journey())

    assert not is_finished(story, view)
    view.sent.add(f"{TICKET}/2")
    assert is_finished(story, view)
    desk.board.apply(a_journey())
    assert not is_finished(story, view)
