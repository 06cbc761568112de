"""`bridge demo` as a person runs it, on a cluster that the environment names, watched by no terminal."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from bridge.sandbox.kafka import EmbeddedKafka

ENDS_SECONDS = 150.0
STARTS_SECONDS = 90.0
STOPS_SECONDS = 30.0
POLL_SECONDS = 0.1
MARK = "MARK_OF_THIS_DEMO"
GREEN_TICKET = (
    '{"event_id": "T/1", "ticket_id": "FLT-GREEN", "occurred_at": "2026-03-02T08:00:00Z", "event":'
    ' {"type": "ServiceTestRequested", "service_id": "SIM-TEST_GREEN-1", "supplier": "NORTHMOOR_FIBRE",'
    ' "service_specification_id": "ftthl2r", "problem_type": "OUTAGE",'
    ' "characteristics": [{"name": "SERVICE_HAS_WORKED", "value": "false"}]}}'
)
WRONG_STORY = """\
tickets:
  - {ticket: FLT-GREEN, story: ends otherwise, expect: {end: COMPLETED, test: RED, problem: COMPLETED}}
"""


class RunningDemo:
    """One demo, its output and the mark by which its processes are known."""

    def __init__(self, servers: str, directory: Path, *arguments: str) -> None:
        self.mark = uuid.uuid4().hex
        self.output = directory / "output.txt"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
        command = [sys.executable, "-m", "bridge", "demo", "--directory", str(directory / "demo"), *arguments]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env={**inherited, "BRIDGE_KAFKA_BOOTSTRAP_SERVERS": servers, MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def wait_for(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + STARTS_SECONDS
        while not holds():
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, f"no {what} in time:\n{self.text}"
            time.sleep(POLL_SECONDS)

    def processes(self) -> list[str]:
        """The command lines of all processes that belong to it."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (place / "environ").read_bytes():
                    found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue  # it ended meanwhile, or is somebody else's
        return found


@contextmanager
def a_demo(servers: str, directory: Path, *arguments: str) -> Iterator[RunningDemo]:
    demo = RunningDemo(servers, directory, *arguments)
    try:
        yield demo
    finally:
        demo.process.kill()
        demo.process.wait()


def topics_on(servers: str) -> list[str]:
    async def listed() -> list[str]:
        client = AIOKafkaAdminClient(bootstrap_servers=servers)
        await client.start()
        try:
            return sorted(await client.list_topics())
        finally:
            await client.close()

    return asyncio.run(listed())


@pytest.mark.timeout(200)
def test_every_ticket_ends_as_its_story_says_although_the_dispatcher_is_killed_with_calls_under_way(
    kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """The demo without the kill shows no more than this one; one run of a minute is enough for CI."""
    with a_demo(kafka.bootstrap_servers, tmp_path, "--crash", "--limit", "110") as demo:
        code = demo.process.wait(ENDS_SECONDS)

        assert code == 0, demo.text
        assert "the dispatcher, with calls under way: " in demo.text
        assert re.search(r"calls under way: .*[1-9] RAISE_PROBLEM that the gateway has taken", demo.text)
        assert demo.text.count("RAISE_PROBLEM UNKNOWN → ACCEPTED by EVIDENCE: ") >= 2
        assert "RAISE_PROBLEM UNKNOWN → the operator had it sent again, and it was ACCEPTED" in demo.text
        assert "17 of 17 tickets ended as expected" in demo.text
        assert "problem-status equals the gateway's own status of all 14 problems" in demo.text
        assert "the gateway accepted no command twice" in demo.text
        assert "✗" not in demo.text
        assert "\x1b" not in demo.text, "no control codes where there is no terminal"
        assert "FLT-48113  OPEN · test RED · problem " in demo.text
        assert demo.processes() == []
        assert [topic for topic in topics_on(kafka.bootstrap_servers) if topic.startswith("demo-")] == []


@pytest.mark.timeout(200)
def test_a_ticket_that_ends_otherwise_is_named_and_fails_the_demo(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(GREEN_TICKET)
    (tmp_path / "one.expected.yaml").write_text(WRONG_STORY)

    with a_demo(kafka.bootstrap_servers, tmp_path, "--tickets", str(tmp_path / "one.jsonl")) as demo:
        code = demo.process.wait(ENDS_SECONDS)

        assert code == 1, demo.text
        assert "✗ FLT-GREEN: ended TESTED, expected COMPLETED" in demo.text
        assert "✗ FLT-GREEN: its test is GREEN, expected RED" in demo.text
        assert "0 of 1 tickets ended as expected" in demo.text
        assert f"All logs are in {tmp_path}/demo/logs" in demo.text
        assert (tmp_path / "demo" / "logs" / "dispatcher.log").stat().st_size > 0
        assert demo.processes() == []


@pytest.mark.timeout(200)
def test_ctrl_c_ends_every_process_and_takes_the_topics_away(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    with a_demo(kafka.bootstrap_servers, tmp_path) as demo:
        demo.wait_for(lambda: "FLT-48102  TESTING" in demo.text, "ticket under way")
        assert len(demo.processes()) == 5, "the demo, the simulator and three services"

        demo.process.send_signal(signal.SIGINT)

        assert demo.process.wait(STOPS_SECONDS) == 130, demo.text
        assert "Interrupted; everything that was started has ended." in demo.text
        assert "Traceback" not in demo.text
        assert demo.processes() == []
        assert [topic for topic in topics_on(kafka.bootstrap_servers) if topic.startswith("demo-")] == []


@pytest.mark.timeout(200)
def test_a_service_that_dies_is_named_with_the_end_of_its_log(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    with a_demo(kafka.bootstrap_servers, tmp_path) as demo:
        demo.wait_for(lambda: "tracker, process " in demo.text, "tracker")
        tracker = demo.text.partition("tracker, process ")[2].split()[0]

        os.kill(int(tracker), signal.SIGKILL)

        assert demo.process.wait(STOPS_SECONDS) == 1, demo.text
        assert f"tracker ended with -9; the end of {tmp_path}/demo/logs/tracker.log:" in demo.text
        assert demo.processes() == []
