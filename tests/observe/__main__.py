"""
`make observe`: a real Prometheus over a running bridge; each alert fires in a real outage and resolves after it, and
each panel of the dashboards is answered with data. Writes docs/evidence/observe.md and docs/images/observe.png.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.dashboards import BOARDS, DIRECTORY, asked, panels_of
from tests.kafka_broker import fresh_kafka
from tests.observe.outages import ALERTS, OUTAGES, Outage
from tests.observe.picture import PICTURE, draw
from tests.observe.rules import SHORTER, WINDOW
from tests.observe.server import PrometheusServer
from tests.observe.stage import ObservedBridge
from tests.promql import rules_in

ROOT = Path(__file__).parents[2]
TRANSCRIPT = ROOT / "docs" / "evidence" / "observe.md"
EVERYDAY_SECONDS = 40.0
# As long as an alert may take to fire or to resolve, its window included.
FIRES_SECONDS = 75.0
RESOLVES_SECONDS = 120.0
LOOK_SECONDS = 0.5
STEP_SECONDS = 1.0


def tell(line: str) -> None:
    """Tell whoever waits."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Observation:
    """One run: says what it sees, and keeps it for the transcript."""

    def __init__(self, bridge: ObservedBridge, prometheus: PrometheusServer) -> None:
        self._bridge = bridge
        self._prometheus = prometheus
        self._began = time.time()
        self.lines: list[str] = []
        self.failures: list[str] = []

    def say(self, line: str) -> None:
        """Print a line with the time since the start, and keep it."""
        told = f"{time.time() - self._began:6.1f} s  {line}"
        tell(told)
        self.lines.append(told)

    def suffer(self, outage: Outage) -> None:
        """Begin an outage, see its alerts fire, end it, and see them resolve."""
        self.say(f"OUTAGE {outage.what}")
        outage.begin(self._bridge)
        for alert in outage.alerts:
            self._see_firing(alert)
        outage.end(self._bridge)
        self.say("over")
        for alert in outage.after:
            self._see_firing(alert)
        for alert in (*outage.alerts, *outage.after):
            if self._wait(lambda alert=alert: alert not in self._prometheus.firing(), RESOLVES_SECONDS):  # type: ignore[misc]  # one alert each
                self.say(f"  resolved {alert}")
            else:
                self._fail(f"{alert} did not resolve")

    def look_at_panels(self) -> None:
        """Ask every query of every panel over the whole run; an answer without one number is a failure."""
        end = time.time()
        for name in BOARDS:
            empty, answered = [], 0
            for panel in panels_of(DIRECTORY / f"{name}.json"):
                for target in panel["targets"]:
                    expr = asked(target["expr"], rate="20s", shown="10m")
                    series = self._prometheus.course(expr, self._began, end, 5)
                    numbers = [number for each in series for _, number in each["values"] if number != "NaN"]
                    answered += bool(numbers)
                    if not numbers:
                        empty.append(f"{panel['title']}: {target['expr']}")
            self.say(f"dashboard {name}: {answered} queries answered with data, {len(empty)} without")
            for each in empty:
                self._fail(f"no data for {each}")

    def _see_firing(self, alert: str) -> None:
        if not self._wait(lambda: alert in self._prometheus.firing(), FIRES_SECONDS):
            self._fail(f"{alert} did not fire")
            return
        for labels in self._prometheus.firing().get(alert, [])[:1]:
            self.say(f"  firing   {alert} ({labels['severity']}): {labels['summary'].strip()}")

    def _fail(self, what: str) -> None:
        self.failures.append(what)
        self.say(f"  FAILED   {what}")

    def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._bridge.revive()
            time.sleep(LOOK_SECONDS)
        return True


def observe(outages: tuple[Outage, ...], logs: Path) -> Observation:
    """Run everything; what failed is in the observation."""
    with fresh_kafka(ROOT) as kafka:
        bridge = ObservedBridge(kafka, logs)
        prometheus = PrometheusServer(logs, bridge.fleet, bridge.processes)
        try:
            bridge.start()
            prometheus.start()
            seen = Observation(bridge, prometheus)
            seen.say("the bridge runs: two dispatchers, two trackers, an ingester, a simulated gateway, Apache Kafka")
            time.sleep(EVERYDAY_SECONDS)
            firing = sorted(prometheus.firing())
            seen.say(f"everyday work for {EVERYDAY_SECONDS:.0f} s; firing: {', '.join(firing) or 'nothing'}")
            for outage in outages:
                seen.suffer(outage)
            seen.look_at_panels()
            seen.failures += prometheus.unhealthy_rules()
            draw(prometheus, seen._began, time.time())  # noqa: SLF001  # when the picture begins
            return seen
        finally:
            bridge.stop()


def transcript(seen: Observation) -> str:
    """The page that shows what was seen."""
    shorter = "; ".join(f"{name} `{long}` as `{short}`" for name, (long, short) in SHORTER.items())
    return f"""\
# Every alert, fired by a real outage

Written by `make observe`: Prometheus (Debian's package) scrapes a running bridge on Apache Kafka once a second, with
the rules of `helm/rules` in which every `for` is 2 s and every window {WINDOW}, and thresholds that are times or counts
are smaller: {shorter}. An outage is made, its alerts fire, the outage is ended, and they resolve. Then every query of
every panel is asked over the whole run.

```
{chr(10).join(seen.lines)}
```

{len(set(ALERTS))} of {len(rules_in(ROOT / "helm" / "rules" / "alerts.yaml"))} alerts;
{len(seen.failures)} failures.

![the run in figures](../images/{PICTURE.name})
"""


def main(arguments: list[str]) -> int:
    """Observe; exit code 1: something did not fire, resolve or answer."""
    parser = argparse.ArgumentParser(prog="make observe", description=__doc__)
    parser.add_argument("--only", help="only outages with this word in them; the transcript is not written then")
    options = parser.parse_args(arguments)
    outages = tuple(outage for outage in OUTAGES if options.only is None or options.only in outage.what)
    logs = Path(tempfile.mkdtemp(prefix="observe-", dir=ROOT / ".sandbox"))
    tell(f"logs in {logs}")
    seen = observe(outages, logs)
    if options.only is None:
        TRANSCRIPT.write_text(transcript(seen))
    tell("\n".join(seen.failures) or "every alert fired and resolved, every panel has data")
    return 1 if seen.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
