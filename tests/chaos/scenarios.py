"""The scenarios: what is done to the bridge while tickets come in."""

import json
import time
from collections import Counter
from collections.abc import Callable

from tests.chaos.chaos import Chaos, Scenario
from tests.chaos.fault_log import Kind
from tests.chaos.stage import SERVICES, Setup
from tests.integration.topic_watch import TOPICS

Act = Callable[[Chaos], None]
# Longer than the session of 6 s, so that the group goes on without the one that is stopped.
FREEZE_SECONDS = (12.0, 16.0)
# What a service id has room for between its beginning and its number.
LONGEST_PLAN = 38
ONE_OF_EACH = {"dispatcher": 1, "ingester": 1, "tracker": 1}

# So that what was lost is fetched soon.
SOON_SILENT = {"BRIDGE_TRACKER_PROBLEM_SILENCE_SECONDS": "6", "BRIDGE_TRACKER_TEST_SILENCE_SECONDS": "6"}


def rounds(chaos: Chaos, times: int) -> range:
    """So many times in the long form, and fewer in a shorter one."""
    return range(max(1, round(times * chaos.scale)))


# -- processes


def kills(service: str, *, times: int) -> Act:
    """Kill -9 of a busy process, again and again."""

    def act(chaos: Chaos) -> None:
        for _ in rounds(chaos, times):
            chaos.pause(2.0, 6.0)
            chaos.kill(service)
            # The next one strikes while the group still settles now and then, and later at other times.
            chaos.pause(1.0, 9.0)

    return act


def kills_of_all(chaos: Chaos) -> None:
    """Kill -9 of whatever is busy, of every service in turn."""
    for _ in rounds(chaos, 4):
        for service in SERVICES:
            chaos.pause(0.5, 3.0)
            chaos.kill(service)
        chaos.pause(3.0, 8.0)


def zombies(service: str, *, times: int) -> Act:
    """SIGSTOP for longer than the session time-out, then SIGCONT."""

    def act(chaos: Chaos) -> None:
        for _ in rounds(chaos, times):
            chaos.pause(2.0, 5.0)
            chaos.freeze(service, chaos.rng.uniform(*FREEZE_SECONDS), least=5)
            chaos.stage.wait_all_ready()

    return act


def rolling_restart(chaos: Chaos) -> None:
    """SIGTERM for every replica of every service, one after the other, under load."""
    for _ in rounds(chaos, 2):
        for name in chaos.stage.names():
            chaos.pause(0.5, 2.0)
            chaos.restart(name)


def scaling(chaos: Chaos) -> None:
    """From one replica to three and back, of each service."""
    for _ in rounds(chaos, 2):
        added = [chaos.add(service) for service in SERVICES for _ in range(2)]
        chaos.pause(3.0, 6.0)
        for name in added:
            chaos.pause(0.5, 2.0)
            chaos.remove(name)


# -- brokers


def broker_restarts(chaos: Chaos) -> None:
    """The only broker is stopped in order and started again, then killed and started again."""
    for number in rounds(chaos, 4):
        chaos.pause(3.0, 6.0)
        with chaos.broker_away(1, kill=number % 2 == 1):
            chaos.pause(0.5, 3.0)
        chaos.pause(5.0, 8.0)


def broker_losses(chaos: Chaos) -> None:
    """One of three brokers is killed and comes back later, each in turn."""
    for number in rounds(chaos, 3):
        chaos.pause(3.0, 6.0)
        with chaos.broker_away(number % 3 + 1, kill=True):
            chaos.pause(15.0, 20.0)
        chaos.pause(8.0, 12.0)


def brokers_away(chaos: Chaos) -> None:
    """All brokers are away for a minute, while the gateway goes on sending KCIs."""
    chaos.pause(5.0, 8.0)
    with chaos.broker_away(1, kill=True):
        time.sleep(max(15.0, 60.0 * chaos.scale))
    chaos.pause(5.0, 8.0)


# -- the gateway


def gateway_away(chaos: Chaos) -> None:
    """Nobody listens at the gateway's address for ten minutes."""
    chaos.pause(5.0, 8.0)
    with chaos.link(Kind.GATEWAY, chaos.stage.to_gateway, "cut"):
        time.sleep(max(10.0, 600.0 * chaos.scale))
    chaos.pause(5.0, 8.0)


def bad_gateway(*names: str, probability: float, seconds: float = 60.0) -> Act:
    """The gateway treats a share of all POSTs and PATCHes like this."""

    def act(chaos: Chaos) -> None:
        chaos.pause(1.0, 3.0)
        rules = [{"fault": name, "probability": probability} for name in names]
        with chaos.weather(Kind.GATEWAY, " ".join(names), rules=rules):
            time.sleep(max(10.0, seconds * chaos.scale))

    return act


def no_tokens(chaos: Chaos) -> None:
    """The token endpoint is down, and every token is revoked, so that each call needs a new one."""
    for _ in rounds(chaos, 3):
        chaos.pause(3.0, 6.0)
        with chaos.weather(Kind.GATEWAY, "no tokens", token_down=True):
            chaos.stage.revoke_tokens()
            time.sleep(max(5.0, 20.0 * chaos.scale))


# -- KCIs


def upset_kcis(scenario: str) -> str:
    """A fault of KCIs for every ticket, by its scenario, so that all four are met in every run."""
    faults = ("+KCI_LOST", "+KCI_DOUBLED", "+KCI_SHUFFLED", "+KCI_EARLY")
    fault = faults[sum(scenario.encode()) % len(faults)]
    return fault if len(scenario) + len(fault) <= LONGEST_PLAN else ""


def nothing(chaos: Chaos) -> None:
    """What goes wrong is in the service ids already."""
    with chaos.faults.lasting(Kind.KCI, "lost, doubled, shuffled, early"):
        chaos.pause(5.0, 10.0)


def poison(chaos: Chaos) -> None:
    """Records that can never be processed, on each source topic, among good ones."""
    sources = ("fault-tickets", "journey-signals", "operator-decisions", "kcis", "observations")
    for _ in rounds(chaos, 3):
        chaos.pause(3.0, 5.0)
        with chaos.faults.lasting(Kind.KCI, "poison"):
            for topic in sources:
                number = chaos.rng.randrange(TOPICS.partitions_of(TOPICS[topic]))
                chaos.provider.send(topic, b"poison", b"no Avro at all", partition=number)
                chaos.provider.send(topic, None, b"\xc3\x01and no key", partition=number)
                chaos.provider.send(topic, b"\xff\xfe", None, partition=number)
        for body in (b"", b"{", b"[]", json.dumps({"entityType": "SERVICE_PROBLEM"}).encode()):
            assert chaos.stage.deliver(body).status_code in range(400, 500)


# -- the network


def bad_links(chaos: Chaos) -> None:
    """The ways between gateway and bridge are cut, stalled and slow in turn."""
    for _ in rounds(chaos, 2):
        for link, kind in ((chaos.stage.to_gateway, Kind.GATEWAY), (chaos.stage.webhook, Kind.KCI)):
            for how in ("cut", "stall", "slow"):
                chaos.pause(2.0, 4.0)
                with chaos.link(kind, link, how, seconds=0.3):
                    chaos.pause(4.0, 8.0)


def bad_broker_links(chaos: Chaos) -> None:
    """The way between the bridge and Kafka is cut, stalled and slow in turn."""
    for _ in rounds(chaos, 2):
        for how, least, most in (("slow", 5.0, 8.0), ("cut", 2.0, 5.0), ("stall", 2.0, 12.0)):
            chaos.pause(4.0, 6.0)
            with chaos.link(Kind.BROKER, chaos.stage.to_broker, how, seconds=0.05):
                chaos.pause(least, most)
            chaos.stage.wait_all_ready(seconds=120.0)


# -- clocks


def clock_jumps(chaos: Chaos) -> None:
    """The wall clock of every dispatcher and tracker jumps an hour ahead, back, an hour behind, and ahead."""
    # It ends ahead: what was to be done by the earlier clock is due then.
    for hours in (1, 0, -1, 1):
        chaos.pause(4.0, 6.0)
        chaos.faults.struck(Kind.CLOCK, f"{hours} h")
        chaos.stage.clock.write_text(str(hours * 3600))
        chaos.pause(4.0, 8.0)


SCENARIOS = (
    Scenario("kill dispatcher", kills("dispatcher", times=8)),
    Scenario("zombie dispatcher", zombies("dispatcher", times=4)),
    Scenario("rolling restart", rolling_restart),
    Scenario("broker restart", broker_restarts),
    Scenario("broker lost", broker_losses, brokers=3, rate=5.0),
    Scenario("brokers away", brokers_away),
    Scenario("kill tracker", kills("tracker", times=8)),
    Scenario("kill ingester", kills("ingester", times=8)),
    Scenario("kill all", kills_of_all),
    Scenario("zombie tracker", zombies("tracker", times=4)),
    Scenario("scale up and down", scaling, Setup(replicas=ONE_OF_EACH)),
    Scenario("gateway away", gateway_away, settle_seconds=600.0),
    Scenario("gateway never answers", bad_gateway("ANSWER_NEVER", "ANSWER_LOST", probability=0.05)),
    Scenario("gateway resets", bad_gateway("RESET", probability=0.2)),
    Scenario("gateway 500 after accepting", bad_gateway("ACCEPT_THEN_500", "HTTP_500", probability=0.1)),
    Scenario("gateway 429 and 503", bad_gateway("HTTP_429", "HTTP_503", probability=0.2)),
    Scenario("gateway 403", bad_gateway("HTTP_403", probability=0.5)),
    Scenario("token endpoint down", no_tokens),
    Scenario("KCIs lost doubled shuffled early", nothing, Setup(settings=SOON_SILENT), faults_of=upset_kcis),
    Scenario("poison records", poison),
    Scenario("network to the gateway", bad_links),
    Scenario("network to Kafka", bad_broker_links, through_link=True),
    Scenario(
        "clock jump",
        clock_jumps,
        Setup(instead={"dispatcher": "tests.chaos.jumping_clock", "tracker": "tests.chaos.jumping_clock"}),
    ),
)

# Bridges that are wrong on purpose: the same faults must be seen to do harm, or a green run means nothing.
UNFENCED = Scenario(
    "unfenced zombie",
    zombies("dispatcher", times=4),
    Setup(instead={"dispatcher": "tests.chaos.unfenced_dispatcher"}),
    rate=20.0,
    settle_seconds=60.0,
)
UNPERMITTED = Scenario(
    "unpermitted kill",
    kills("dispatcher", times=4),
    Setup(instead={"dispatcher": "tests.chaos.unpermitted_dispatcher"}),
    settle_seconds=60.0,
)


def one_of_each_kind(chaos: Chaos) -> None:
    """Every service is killed, a dispatcher sleeps longer than its session, another is stopped, the gateway errs."""
    chaos.pause(1.0, 2.0)
    chaos.kill("dispatcher")
    chaos.pause(0.5, 2.0)
    chaos.kill("tracker")
    chaos.kill("ingester")
    with chaos.weather(Kind.GATEWAY, "hidden answers", rules=[{"fault": "ACCEPT_THEN_500", "probability": 0.1}]):
        chaos.wait_struck(2, most_seconds=30.0)
    chaos.stage.wait_all_ready()
    chaos.freeze("dispatcher", 10.0, least=3)
    chaos.stage.wait_all_ready()
    chaos.restart(chaos.rng.choice(chaos.stage.names("dispatcher")))


def one_zombie(chaos: Chaos) -> None:
    """A dispatcher sleeps longer than its session, until a problem was raised twice, or four times in all."""
    for _ in range(4):
        chaos.freeze("dispatcher", 10.0, least=5)
        chaos.stage.wait_all_ready()
        raised = Counter(each["external_identifier"] for each in chaos.stage.gateway.problems(status="RESOLVED"))
        if any(count > 1 for count in raised.values()):
            return


# The short form.
SHORT = Scenario("short form", one_of_each_kind, rate=5.0)
SHORT_UNFENCED = Scenario(
    "short form unfenced",
    one_zombie,
    Setup(instead={"dispatcher": "tests.chaos.unfenced_dispatcher"}),
    rate=12.0,
    settle_seconds=15.0,
)
