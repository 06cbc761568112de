"""The provider's ticketing system in the demo: it judges by what the topics told it, and by nothing else."""

from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from bridge.cli.demo.board import Board, TicketView
from bridge.cli.demo.stories import Story, When
from bridge.domain.statuses import ActionRequired
from bridge.domain.tickets import FaultTicketEvent, ResolutionAnswered

# Reports come in one after the other, and people take a moment to answer: long enough to be seen in the picture.
BETWEEN_REPORTS_SECONDS = 0.35
THINKING_SECONDS = 1.2


class TicketingSystem:
    """Sends every event of the stories at its time. `monotonic` tells seconds from any start."""

    def __init__(
        self,
        stories: Sequence[Story],
        board: Board,
        send: Callable[[FaultTicketEvent], Awaitable[None]],
        monotonic: Callable[[], float],
    ) -> None:
        self._stories = stories
        self._board = board
        self._send = send
        self._monotonic = monotonic
        self._next_report = monotonic()
        self._asked_at: dict[tuple[str, str], float] = {}

    async def act(self) -> None:
        """Send what is due now: one report at most, and the answers that people have thought about."""
        for story in self._stories:
            view = self._board.views[story.ticket_id]
            event = next_event(story, view)
            if event is not None and self._is_time(story, event):
                await self._send(event)
                mark_sent(view, story, event)

    def _is_time(self, story: Story, event: FaultTicketEvent) -> bool:
        now = self._monotonic()
        if event not in story.at_once:
            return now >= self._asked_at.setdefault((event.ticket_id, event.event_id), now) + THINKING_SECONDS
        if now < self._next_report:
            return False
        self._next_report = now + BETWEEN_REPORTS_SECONDS
        return True


def next_event(story: Story, view: TicketView) -> FaultTicketEvent | None:
    """
    The event that is next, if the ticket stands as it must for it.

    An answer to a resolution names the one that the action told of, as a ticketing system copies it.
    """
    for event in story.at_once:
        if event.event_id not in view.sent:
            return event
    for when, event in story.later:
        if event.event_id not in view.sent:
            return _filled_in(event, _asked(when, view)) if _holds(when, view) else None
    return None


def mark_sent(view: TicketView, story: Story, event: FaultTicketEvent) -> None:
    """Remember that an event was sent, and which action it was the answer to."""
    view.sent.add(event.event_id)
    for when, later in story.later:
        action = _asked(when, view) if later.event_id == event.event_id else None
        if action is not None:
            view.answered.add(action.action_id)


def is_finished(story: Story, view: TicketView) -> bool:
    """Whether the ticket is at its end and nothing is left to be sent."""
    return view.end is not None and len(view.sent) == len(story.at_once) + len(story.later)


def _holds(when: When, view: TicketView) -> bool:
    if when.action is not None and _asked(when, view) is None:
        return False
    return when.status is None or view.status == when.status


def _asked(when: When, view: TicketView) -> ActionRequired | None:
    """The open action of this kind that no event has answered yet."""
    if when.action is None:
        return None
    fitting = (action for action in view.open_actions if action.action == when.action)
    return next((action for action in fitting if action.action_id not in view.answered), None)


def _filled_in(event: FaultTicketEvent, action: ActionRequired | None) -> FaultTicketEvent:
    answer = event.event
    if action is None or not isinstance(answer, ResolutionAnswered) or answer.resolution_id is not None:
        return event
    return replace(event, event=replace(answer, resolution_id=action.resolution_id))
