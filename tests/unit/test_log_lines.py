"""The lines that docs/logging.md shows are those that the services write; KEEP_LINES=1 writes them into the page."""

import logging
import os
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import httpx
import pytest
import structlog

from bridge.adapters.logging import configure
from bridge.ports import Arrived
from bridge.settings import LogSettings
from tests.builders import NOW, PERSONAL, TICKET, a_problem, a_report
from tests.fakes import ScriptedGateway
from tests.unit.flows.dispatcher import Dispatcher
from tests.unit.flows.tracker import Tracker
from tests.webhook_doubles import HEADERS, Bench

BEGIN, END = "<!-- lines:begin -->\n", "<!-- lines:end -->\n"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
SECONDS = re.compile(r'("seconds":)[\d.e-]+')


class Written:
    """What one service after the other writes."""

    def __init__(self) -> None:
        self._stream = StringIO()

    def by(self, service: str, **settings: str) -> None:
        """From now on the lines are this service's."""
        structlog.contextvars.clear_contextvars()
        configure(LogSettings(**settings), service=service, stream=self._stream)

    @property
    def text(self) -> str:
        """The lines, with the same times at each run."""
        return SECONDS.sub(r"\g<1>0.0007", MOMENT.sub("2026-03-02T09:00:00.000000Z", self._stream.getvalue()))


@pytest.fixture
def written() -> Iterator[Written]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield Written()
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(capture=False)
    root.handlers = handlers
    root.setLevel(level)


async def test_the_lines_of_the_page_are_those_that_the_services_write(
    written: Written, pytestconfig: pytest.Config
) -> None:
    dispatcher, tracker, webhook = Dispatcher(ScriptedGateway()), Tracker(), Bench()
    written.by("dispatcher")
    await dispatcher.event(a_report(), event_id="event-1")
    spoilt = Arrived(topic="fault-tickets", partition=0, offset=41, timestamp=NOW, key=TICKET.encode(), value=None)
    await dispatcher.flow.arrived(spoilt, dispatcher.table)
    written.by("tracker")
    await tracker.hears(a_problem(status="ACKNOWLEDGED"), id="kci-1")
    written.by("ingester")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=webhook.app), base_url="http://webhook") as client:
        await client.post("/kcis", content=PERSONAL[0].encode(), headers=HEADERS)
    written.by("tracker", format="console")
    await tracker.hears(a_problem(status="IN_PROGRESS"), id="kci-2")

    assert [word for word in PERSONAL if word in written.text] == []
    *lines, console = written.text.splitlines()
    shown = "```\n" + "\n".join(lines) + "\n```\n\nThe same for a terminal:\n\n```\n" + console.strip() + "\n```\n"
    path = pytestconfig.rootpath / "docs" / "logging.md"
    if "KEEP_LINES" in os.environ:
        keep(path, shown)
    assert between(path) == shown, "docs/logging.md shows other lines; `KEEP_LINES=1` makes this test write them there"


def between(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def keep(path: Path, shown: str) -> None:
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    path.write_text(f"{before}{BEGIN}{shown}{END}{rest.partition(END)[2]}", encoding="utf-8")
