"""`bridge demo` from its start to its exit code: what is started in which order, and what is always ended again."""

import asyncio
import io
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from bridge.adapters.kafka_admin import ChangeFailed, KafkaUnreachable
from bridge.cli.demo import INTERRUPTED
from bridge.cli.demo.cluster import Cluster, NotUsable, apply_topics, delete_topics, open_cluster, refuse_known_tickets
from bridge.cli.demo.displays import Display, LiveDisplay, PlainDisplay
from bridge.cli.demo.place import Place, find_place
from bridge.cli.demo.play import Play, Result
from bridge.cli.demo.report import print_crash, print_stay, print_summary
from bridge.cli.demo.services import Services, running_services
from bridge.cli.demo.stories import StoriesError, Story, load_stories
from bridge.sandbox.errors import SandboxError
from bridge.sandbox.ownership import DirectoryLock
from bridge.sandbox.processes import Fleet
from bridge.settings import SettingsError
from bridge.topics import Topics, TopicsError, data_directory, load_topics

FAILED = 1
PLAIN_WIDTH = 160
WATCH_SECONDS = 0.5
# On a cluster of its own, ids begin here; elsewhere the clock chooses them.
FIRST_ID = 100001
# The least time that tickets get, however long the start took.
LEAST_SECONDS = 60.0


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    tickets: Path
    directory: Path
    limit_seconds: float
    stay: bool
    crash: bool


def run(options: Options) -> int:
    """Run the demo and return its exit code; whatever happens, no process of it is left behind."""
    # A terminal that cannot show a sign gets a question mark, not a crash at the very end.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    # A shell starts what it puts in the background with Ctrl-C ignored, and SIGTERM must reach us there too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    demo = Demo(options)
    try:
        with demo.owned_directory():
            return demo.run()
    except KeyboardInterrupt:
        typer.echo("Interrupted; everything that was started has ended.")
        return INTERRUPTED
    except (StoriesError, SettingsError, SandboxError, NotUsable, TopicsError, KafkaUnreachable, ChangeFailed) as error:
        typer.echo(f"The demo cannot go on: {error}", err=True)
        typer.echo(f"All logs are in {demo.logs}.", err=True)
        return FAILED


class Demo:
    """One run of it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._began = time.monotonic()
        self._console = Console(highlight=False)
        self._live = self._console.is_terminal and not self._console.is_dumb_terminal
        if not self._live:
            self._console = Console(highlight=False, width=PLAIN_WIDTH, no_color=True, force_terminal=False)
        self.logs = options.directory / "logs"

    @contextmanager
    def owned_directory(self) -> Iterator[None]:
        """Have the demo's directory alone, and clear what an earlier run left there."""
        lock = DirectoryLock(self._options.directory)
        lock.acquire()
        try:
            for left in (self.logs, self._options.directory / "kafka"):
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            lock.release()

    def run(self) -> int:
        """Start everything, play, and end everything."""
        stories = load_stories(self._options.tickets)
        topics = load_topics(data_directory() / "topics.yaml")
        with Fleet() as gateway, open_cluster(os.environ, self._options.directory / "kafka", self._say) as cluster:
            self._told(f"Apache Kafka at {', '.join(cluster.settings.bootstrap_servers)}{self._prefix(cluster)}")
            place = find_place(cluster.kafka, self.logs, FIRST_ID if cluster.embedded else 0)
            simulator = gateway.start(place.simulator_program())
            with (
                self._topics(cluster, topics, stories),
                running_services(cluster, place, simulator, self._told) as services,
            ):
                code = self._play(stories, topics, cluster, place, services)
                if self._options.stay:
                    self._stay(place, services)
            self._say("Stopping…")
            return code

    def _play(
        self, stories: Sequence[Story], topics: Topics, cluster: Cluster, place: Place, services: Services
    ) -> int:
        self._say(f"Publishing {len(stories)} tickets from {self._options.tickets}")
        play = Play(
            stories=stories,
            place=place,
            cluster=cluster,
            topics=topics,
            services=services,
            display=self._display(stories, services),
            deadline=max(self._began + self._options.limit_seconds, time.monotonic() + LEAST_SECONDS),
        )
        result: Result = asyncio.run(play.perform(crash=self._options.crash))
        print_crash(self._console, result)
        good = print_summary(self._console, stories, result, time.monotonic() - self._began)
        if not good:
            self._say(f"All logs are in {self.logs}.")
        return 0 if good else FAILED

    def _stay(self, place: Place, services: Services) -> None:
        """Leave everything running until Ctrl-C, which is how this is meant to end."""
        print_stay(self._console, place)
        try:
            while True:
                time.sleep(WATCH_SECONDS)
                services.check()
        except KeyboardInterrupt:
            self._say("")

    @contextmanager
    def _topics(self, cluster: Cluster, topics: Topics, stories: Sequence[Story]) -> Iterator[None]:
        """The topics; those that nobody will miss go with the demo."""
        count = asyncio.run(apply_topics(cluster, topics))
        self._told(f"{count} topics as topics.yaml says")
        asyncio.run(refuse_known_tickets(cluster, frozenset(story.ticket_id for story in stories)))
        try:
            yield
        finally:
            if cluster.own_topics and not cluster.embedded and not asyncio.run(delete_topics(cluster, topics)):
                self._say(f"The topics{self._prefix(cluster)} could not all be deleted.")

    def _display(self, stories: Sequence[Story], services: Services) -> Display:
        if self._live:
            return LiveDisplay(self._console, stories, services.parts, self._began)
        return PlainDisplay(self._say, self._began)

    def _prefix(self, cluster: Cluster) -> str:
        prefix = cluster.settings.topic_prefix
        return f" with the prefix {prefix}" if prefix else ""

    def _told(self, text: str) -> None:
        """Tell a part of the start that is done."""
        self._say(f"{time.monotonic() - self._began:6.1f} s  {text}")

    def _say(self, text: str) -> None:
        typer.echo(text)
        sys.stdout.flush()


def _as_ctrl_c(_number: int, _frame: object) -> None:
    """SIGTERM ends the demo in the same way as Ctrl-C, the event loop's way included."""
    os.kill(os.getpid(), signal.SIGINT)
