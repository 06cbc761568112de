"""The scenarios of the long form, those of the short form, and the bridges that are wrong on purpose."""

from tests.chaos.acts import (
    bad_broker_links,
    bad_gateway,
    bad_links,
    broker_losses,
    broker_restarts,
    brokers_away,
    clock_jumps,
    gateway_away,
    held_zombie_until_doubled,
    held_zombies,
    kill_with_raises_taken,
    kills,
    kills_of_all,
    no_tokens,
    one_of_each_kind,
    poison,
    rolling_restart,
    scaling,
    upset_kcis,
    zombies,
)
from tests.chaos.hold import Point
from tests.chaos.scenario import Scenario
from tests.chaos.stage import Setup

ONE_OF_EACH = {"dispatcher": 1, "ingester": 1, "tracker": 1}
DISPATCHERS_ONLY = {"dispatcher": 2, "ingester": 1, "tracker": 1}
# So that what was lost is fetched soon.
SOON_SILENT = {"BRIDGE_TRACKER_PROBLEM_SILENCE_SECONDS": "6", "BRIDGE_TRACKER_TEST_SILENCE_SECONDS": "6"}
HELD = {"dispatcher": "tests.chaos.held_dispatcher"}
JUMPING = {"dispatcher": "tests.chaos.jumping_clock", "tracker": "tests.chaos.jumping_clock"}
# aiokafka's compiled parts read the machine's clock for the times of records; its other ones read the process's.
ONE_CLOCK = {"AIOKAFKA_NO_EXTENSIONS": "1"}
# What a service id has room for between its beginning and its number.
LONGEST_PLAN = 38
# Tickets with one test and one problem each: whatever is taken twice is a fault.
PLAIN = {"HAPPY_PATH": 100}


def kci_faults(scenario: str) -> str:
    """A fault of KCIs for every ticket, by its scenario, so that all four are met in every run."""
    faults = ("+KCI_LOST", "+KCI_DOUBLED", "+KCI_SHUFFLED", "+KCI_EARLY")
    fault = faults[sum(scenario.encode()) % len(faults)]
    return fault if len(scenario) + len(fault) <= LONGEST_PLAN else ""


SCENARIOS = (
    Scenario(
        "zombie dispatcher",
        "SIGSTOP of a dispatcher with 5 calls in flight or more, for 12 to 16 s (its session is 6 s), then SIGCONT; "
        "4 times.",
        zombies("dispatcher", times=4),
    ),
    Scenario(
        "zombie before its intents",
        "The same, with its calls all held just before their intents are written, until others have made those calls; "
        "3 times.",
        held_zombies(Point.BEFORE_THE_INTENT, times=3),
        Setup(instead=HELD),
    ),
    Scenario(
        "zombie behind its intents",
        "The same, with its calls all held between a durable intent and the first byte; 3 times.",
        held_zombies(Point.BEHIND_THE_INTENT, times=3),
        Setup(instead=HELD),
    ),
    Scenario(
        "kill dispatcher",
        "kill -9 of a dispatcher with 3 calls in flight or more; 8 times.",
        kills("dispatcher", times=8, least=3),
    ),
    Scenario("kill all", "kill -9 of a busy dispatcher, ingester and tracker in turn; 4 times.", kills_of_all),
    Scenario(
        "broker lost",
        "kill -9 of one of three brokers (min.insync.replicas=2), back after 15 to 20 s; each broker in turn.",
        broker_losses,
        brokers=3,
        most_open=150,
    ),
    Scenario(
        "brokers away",
        "kill -9 of every broker, back after 60 s, while the gateway goes on delivering KCIs.",
        brokers_away,
    ),
    Scenario(
        "gateway never answers",
        "5 in 100 commands are taken and never answered, 5 in 100 taken and the connection closed; 20 of each or more.",
        bad_gateway("ANSWER_NEVER", "ANSWER_LOST", probability=0.05),
    ),
    Scenario(
        "gateway 500 after accepting",
        "10 in 100 commands are taken and answered 500, 10 in 100 answered 500 and not taken; 20 of each or more.",
        bad_gateway("ACCEPT_THEN_500", "HTTP_500", probability=0.1),
    ),
    Scenario("kill tracker", "kill -9 of a tracker that settles records; 8 times.", kills("tracker", times=8)),
    Scenario("kill ingester", "kill -9 of an ingester with requests in flight; 8 times.", kills("ingester", times=8)),
    Scenario(
        "zombie tracker",
        "SIGSTOP of a busy tracker for 12 to 16 s, then SIGCONT; 4 times.",
        zombies("tracker", times=4),
    ),
    Scenario(
        "rolling restart",
        "SIGTERM and a new start of every replica of every service, one after the other; twice.",
        rolling_restart,
    ),
    Scenario(
        "scale up and down",
        "Every service from 1 replica to 3 and back to 1, under load; twice.",
        scaling,
        Setup(replicas=ONE_OF_EACH),
    ),
    Scenario(
        "broker restart",
        "The only broker is stopped in order and killed in turn, back after 0.5 to 3 s; 4 times.",
        broker_restarts,
    ),
    Scenario(
        "gateway away", "Nobody listens at the gateway's address for 10 minutes.", gateway_away, settle_seconds=600.0
    ),
    Scenario(
        "gateway resets",
        "20 in 100 commands meet a reset connection; 20 or more.",
        bad_gateway("RESET", probability=0.2),
    ),
    Scenario(
        "gateway 429 and 503",
        "20 in 100 commands are answered 429 with Retry-After, 20 in 100 503; 20 of each or more.",
        bad_gateway("HTTP_429", "HTTP_503", probability=0.2),
    ),
    Scenario(
        "gateway 403",
        "Half of all commands are answered 403 without a body, as a firewall answers; 20 or more.",
        bad_gateway("HTTP_403", probability=0.5),
    ),
    Scenario(
        "token endpoint down",
        "The token endpoint answers 503 for 20 s, and every token is revoked; 3 times.",
        no_tokens,
    ),
    Scenario(
        "KCIs lost doubled shuffled early",
        "Every ticket's KCIs are lost in part, or delivered twice, or out of order, or before the POST's answer.",
        upset_kcis,
        Setup(settings=SOON_SILENT),
        faults_of=kci_faults,
    ),
    Scenario(
        "poison records",
        "Three records that can never be processed on each source topic, and four bodies on the webhook; 3 times.",
        poison,
    ),
    Scenario(
        "network to and from the gateway",
        "The way from the dispatchers to the gateway, and that from the gateway to the ingesters: cut, stalled, and "
        "slow by 0.3 s a piece, for 4 to 8 s each; twice.",
        bad_links,
    ),
    Scenario(
        "network to Kafka",
        "The ways of the dispatchers, of the ingesters and of the trackers to Kafka, one after the other and then all "
        "together: slow by 50 ms a piece, cut, and stalled for up to 12 s.",
        bad_broker_links,
        through_links=True,
    ),
    Scenario(
        "clock jump",
        "The wall clock of every dispatcher and tracker jumps 55 minutes ahead, back, an hour behind, three hours "
        "ahead (Kafka refuses such records) and back.",
        clock_jumps,
        Setup(instead=JUMPING, settings=ONE_CLOCK),
    ),
)

SHORT = Scenario(
    "short form",
    "One fault of each kind on one bridge.",
    one_of_each_kind,
    Setup(settings=SOON_SILENT),
    faults_of=kci_faults,
    most_open=60,
    backlog=30,
    settle_seconds=120.0,
)

# Bridges that are wrong on purpose: the same faults must be seen to do harm, or a green run means nothing. They are not
# waited for, since they may never settle.
UNFENCED = Scenario(
    "unfenced zombie",
    "Held before its intents, stopped until others have made its calls, and woken up; nobody fences its table.",
    held_zombie_until_doubled,
    Setup(replicas=DISPATCHERS_ONLY, instead={"dispatcher": "tests.chaos.unfenced_dispatcher"}),
    mix=PLAIN,
    most_open=60,
    backlog=0,
    settle_seconds=1.0,
)
UNPERMITTED = Scenario(
    "unpermitted kill",
    "Killed while raises are taken and not answered; it writes no intents.",
    kill_with_raises_taken,
    Setup(replicas=DISPATCHERS_ONLY, instead={"dispatcher": "tests.chaos.unpermitted_dispatcher"}),
    mix=PLAIN,
    most_open=60,
    backlog=0,
    settle_seconds=1.0,
)
