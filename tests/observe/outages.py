"""The outages, as data: what is done to a running bridge, which alerts must fire while it lasts, and how it ends."""

import itertools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.builders import an_answer
from tests.observe.stage import ObservedBridge

FREEZES, FROZEN_SECONDS, FREE_SECONDS = 12, 1.6, 0.4


@dataclass
class Outage:
    """`after` are alerts that its end brings about: what was slow is measured when it is over."""

    what: str
    alerts: tuple[str, ...]
    begin: Callable[[ObservedBridge], None]
    end: Callable[[ObservedBridge], None] = lambda _bridge: None
    after: tuple[str, ...] = field(default=())


def _kill_the_ingester(bridge: ObservedBridge) -> None:
    bridge.held.add("ingester-1")
    bridge.kill("ingester-1")


def _start_the_ingester(bridge: ObservedBridge) -> None:
    bridge.held.discard("ingester-1")
    bridge.revive()


def _join_beside_a_frozen_one(bridge: ObservedBridge) -> None:
    bridge.children["dispatcher-2"].suspend()
    bridge.begin("dispatcher", name="dispatcher-3")


def _leave_and_thaw(bridge: ObservedBridge) -> None:
    bridge.held.add("dispatcher-3")
    bridge.terminate("dispatcher-3")
    bridge.children["dispatcher-2"].resume()


def _starve_a_tracker(bridge: ObservedBridge) -> None:
    def starve() -> None:
        for _ in range(FREEZES):
            bridge.children["tracker-1"].suspend()
            time.sleep(FROZEN_SECONDS)
            bridge.children["tracker-1"].resume()
            time.sleep(FREE_SECONDS)

    threading.Thread(target=starve, name="starve", daemon=True).start()


def _freeze_a_tracker(bridge: ObservedBridge) -> None:
    bridge.report_many(["HELD_AND_RESUMED"] * 8)
    bridge.children["tracker-1"].suspend()


def _spoil_the_tickets(bridge: ObservedBridge) -> None:
    bridge.write("fault-tickets", [(b"T", b"this is no record")])


def _deliver_rubbish(bridge: ObservedBridge) -> None:
    bridge.deliver(json.dumps({"id": 1, "news": "none"}).encode())


def _shut_out(bridge: ObservedBridge) -> None:
    bridge.gateway.weather(
        rules=[{"fault": "HTTP_403", "operations": ["tests", "problems", "get_test", "get_problem"]}]
    )


def _lose_the_token(bridge: ObservedBridge) -> None:
    bridge.gateway.weather(token_down=True)
    bridge.revoke_tokens()


def _cut_the_gateway_off(bridge: ObservedBridge) -> None:
    bridge.to_gateway.cut()
    bridge.report_many(["HAPPY_PATH"] * 6)


def _lose_an_answer(bridge: ObservedBridge) -> None:
    """Raises are taken and their answers lost; the KCIs, which would tell, are held."""
    bridge.gateway.weather(kcis_held=True, rules=[{"fault": "ANSWER_LOST", "operations": ["problems"]}])


def _let_a_resolution_wait(bridge: ObservedBridge) -> None:
    bridge.waiting = bridge.report("CONTACT_CUSTOMER")


def _answer_it(bridge: ObservedBridge) -> None:
    assert bridge.waiting is not None
    bridge.tell(bridge.waiting, an_answer())


def _lose_kcis(bridge: ObservedBridge) -> None:
    bridge.report_many(["HELD_AND_RESUMED+KCI_LOST"] * 4)


def _fair(bridge: ObservedBridge) -> None:
    bridge.gateway.weather()


OUTAGES = (
    Outage(
        "the only ingester is killed, and not started again",
        ("BridgeServiceMissing",),
        _kill_the_ingester,
        _start_the_ingester,
    ),
    Outage(
        "a third dispatcher joins while the second one is frozen",
        ("BridgeNotTakingPart",),
        _join_beside_a_frozen_one,
        _leave_and_thaw,
        after=("BridgeRebalancing",),
    ),
    Outage("a tracker gets the CPU a fifth of the time", ("BridgeEventLoopBlocked",), _starve_a_tracker),
    Outage(
        "the Kafka broker is frozen",
        ("BridgeKafkaDisconnected", "BridgeWebhookFailing", "BridgeLagUnknown"),
        ObservedBridge.freeze_kafka,
        ObservedBridge.thaw_kafka,
    ),
    Outage(
        "a tracker is frozen, until its group gives its partitions to the other",
        ("BridgeConsumerLag",),
        _freeze_a_tracker,
        lambda bridge: bridge.children["tracker-1"].resume(),
        after=("BridgeTransitionSlow",),
    ),
    Outage("somebody writes to fault-tickets what is no record", ("BridgeDeadLetters",), _spoil_the_tickets),
    Outage("the gateway delivers what is no KCI", ("BridgeQuarantine",), _deliver_rubbish),
    Outage(
        "a stranger tries passwords at the webhook", ("BridgeWebhookUnauthenticated",), lambda bridge: bridge.knock(30)
    ),
    Outage(
        "the gateway answers 403 to everything",
        ("BridgeGatewayAccessRefused", "BridgeGatewayFailing"),
        _shut_out,
        _fair,
    ),
    Outage("the token endpoint is down, and the tokens are void", ("BridgeTokenFailing",), _lose_the_token, _fair),
    Outage(
        "the line to the gateway is cut",
        ("BridgeBreakerOpen", "BridgeRetriesOld"),
        _cut_the_gateway_off,
        lambda bridge: bridge.to_gateway.mend(),
        after=("BridgeRaiseSlow",),
    ),
    Outage(
        "the gateway takes raises and its answers are lost, and no KCI comes",
        ("BridgeUnknownCommands", "BridgeDecisionNeeded"),
        _lose_an_answer,
        _fair,
    ),
    Outage(
        "nobody answers a resolution",
        ("BridgeActionDue", "BridgeActionOverdue"),
        _let_a_resolution_wait,
        _answer_it,
    ),
    Outage(
        "the way to the webhook is cut",
        ("BridgeWebhookSilent",),
        lambda bridge: bridge.to_webhook.cut(),
        lambda bridge: bridge.to_webhook.mend(),
    ),
    Outage(
        "the gateway loses every other KCI of four problems",
        ("BridgeKcisMissing", "BridgeReconciliationFinds"),
        _lose_kcis,
    ),
)
ALERTS = tuple(itertools.chain.from_iterable((*outage.alerts, *outage.after) for outage in OUTAGES))
