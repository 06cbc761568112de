"""What is done to the bridge while tickets come in. Each act injects its faults and returns when they are over."""

import json
import time
from collections.abc import Callable, Iterator

from tests.chaos.chaos import Chaos
from tests.chaos.fault_log import Kind
from tests.chaos.hold import Point
from tests.chaos.stage import SERVICES
from tests.integration.topic_watch import TOPICS

Act = Callable[[Chaos], None]
# Longer than the session of 6 s, so that the group goes on without the one that is stopped.
FREEZE_SECONDS = (12.0, 16.0)
HOUR = 3600
# Kafka takes records from at most an hour ahead of its own clock (message.timestamp.after.max.ms).
NEARLY_AN_HOUR = 3300
SOURCES = ("fault-tickets", "journey-signals", "operator-decisions", "kcis", "observations")


def rounds(chaos: Chaos, times: int) -> Iterator[int]:
    """So many rounds in the long form and fewer in a shorter one; and more, until all tickets are reported."""
    least = max(1, round(times * chaos.scale))
    number = 0
    while number < least or (not chaos.all_reported and number < 3 * least):
        yield number
        number += 1


# -- processes


def kills(service: str, *, times: int, least: int = 1) -> Act:
    """Kill -9 of a process with so much under way, again and again."""

    def act(chaos: Chaos) -> None:
        for _ in rounds(chaos, times):
            chaos.pause(2.0, 6.0)
            chaos.kill(service, least)
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


def held_zombies(point: Point, *, times: int) -> Act:
    """The same for a dispatcher whose calls all stand at one chosen point when it falls asleep."""

    def act(chaos: Chaos) -> None:
        for _ in rounds(chaos, times):
            chaos.pause(1.0, 3.0)
            chaos.hold_and_freeze(point, FREEZE_SECONDS[0], least=8)
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


def bad_gateway(*names: str, probability: float, times: int = 20) -> Act:
    """The gateway treats a share of all POSTs and PATCHes like this, until each was so often."""

    def act(chaos: Chaos) -> None:
        chaos.pause(1.0, 3.0)
        rules = [{"fault": name, "probability": probability} for name in names]
        with chaos.weather(Kind.GATEWAY, " ".join(names), rules=rules):
            chaos.wait_struck(max(3, round(times * chaos.scale)), most_seconds=120.0)
            while not chaos.all_reported:
                chaos.pause(1.0, 2.0)

    return act


def no_tokens(chaos: Chaos) -> None:
    """The token endpoint is down, and every token is revoked, so that each call needs a new one."""
    for _ in rounds(chaos, 3):
        chaos.pause(3.0, 6.0)
        with chaos.weather(Kind.GATEWAY, "no tokens", token_down=True):
            chaos.stage.revoke_tokens()
            time.sleep(max(5.0, 20.0 * chaos.scale))


# -- KCIs and poison


def upset_kcis(chaos: Chaos) -> None:
    """What goes wrong is in the service ids already."""
    with chaos.faults.lasting(Kind.KCI, "lost, doubled, shuffled, early"):
        while not chaos.all_reported:
            chaos.pause(1.0, 2.0)


def poison(chaos: Chaos) -> None:
    """Records that can never be processed, on each source topic, among good ones."""
    for _ in rounds(chaos, 3):
        chaos.pause(3.0, 5.0)
        pour_poison(chaos)


def pour_poison(chaos: Chaos) -> None:
    """Three records that can never be processed on each source topic, and four bodies on the webhook."""
    with chaos.faults.lasting(Kind.KCI, "poison"):
        for topic in SOURCES:
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
    """The way between each service and Kafka is slow, cut and stalled in turn; then all three ways at once."""
    for _ in rounds(chaos, 1):
        for services in (*((service,) for service in SERVICES), SERVICES):
            for how, least, most in (("slow", 4.0, 6.0), ("cut", 2.0, 5.0), ("stall", 2.0, 12.0)):
                chaos.pause(2.0, 4.0)
                with chaos.broker_links(services, how, seconds=0.05):
                    chaos.pause(least, most)
                chaos.stage.wait_all_ready(seconds=120.0)


# -- clocks


def clock_jumps(chaos: Chaos) -> None:
    """
    The wall clock of every dispatcher and tracker jumps nearly an hour ahead, back, and an hour behind. It ends ahead:
    what was to be done by the earlier clock is due then. Once it is so far ahead that Kafka refuses its records.
    """
    for seconds in (NEARLY_AN_HOUR, 0, -HOUR):
        chaos.pause(4.0, 6.0)
        chaos.jump(seconds)
        chaos.pause(4.0, 8.0)
    chaos.jump(3 * HOUR, refused=True)
    chaos.pause(8.0, 12.0)
    chaos.jump(0)
    chaos.pause(4.0, 6.0)
    chaos.jump(NEARLY_AN_HOUR)


# -- the short form


def one_of_each_kind(chaos: Chaos) -> None:
    """
    Every service is killed and another replica ended in order; a dispatcher sleeps longer than its session; the gateway
    errs; the ways to it and from it are cut; the broker is killed; there is poison; and KCIs go wrong all the time.
    """
    chaos.pause(1.0, 2.0)
    for service in SERVICES:
        chaos.kill(service, 3 if service == "dispatcher" else 1)
        chaos.pause(0.2, 1.0)
    with chaos.weather(Kind.GATEWAY, "hidden answers", rules=[{"fault": "ACCEPT_THEN_500", "probability": 0.1}]):
        chaos.wait_struck(2, most_seconds=30.0)
    pour_poison(chaos)
    chaos.stage.wait_all_ready()
    chaos.freeze("dispatcher", 10.0, least=5)
    chaos.stage.wait_all_ready()
    for link, kind in ((chaos.stage.to_gateway, Kind.GATEWAY), (chaos.stage.webhook, Kind.KCI)):
        with chaos.link(kind, link, chaos.rng.choice(("cut", "stall"))):
            chaos.pause(2.0, 3.0)
    chaos.restart(chaos.rng.choice(chaos.stage.names("dispatcher")))
    with chaos.broker_away(1, kill=True):
        chaos.pause(0.5, 1.0)


# -- what bridges that are wrong on purpose are put through


def held_zombie_until_doubled(chaos: Chaos) -> None:
    """A dispatcher falls asleep with its calls before their intents, and wakes up when another has made them."""
    chaos.hold_and_freeze(Point.BEFORE_THE_INTENT, 0.0, least=5)
    chaos.wait_doubled(30.0)


def kill_with_raises_taken(chaos: Chaos) -> None:
    """All dispatchers are killed while the gateway has taken raises and has not answered them."""
    rules = [{"fault": "ANSWER_NEVER", "operations": ["problems"]}]
    with chaos.weather(Kind.GATEWAY, "raises taken, not answered", rules=rules):
        met = chaos.wait_unanswered("problems", 3, most_seconds=60.0)
        for name in chaos.stage.names("dispatcher"):
            chaos.strike(name, met)
    chaos.wait_doubled(60.0)
