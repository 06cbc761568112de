"""The tracker: KCIs and observations become statuses, transitions, required actions and journey signals."""

from collections.abc import Mapping

from bridge.adapters.prometheus import TrackerTelemetry
from bridge.domain.policy import TrackingPolicy
from bridge.domain.tracking import TrackedEntity
from bridge.flows.track_status import KCIS, OBSERVATIONS, TrackStatus, entity_of
from bridge.ports import Kept
from bridge.services.streaming import wire
from bridge.settings import TrackerSettings, read
from bridge.topics import Party


def main(environ: Mapping[str, str]) -> int:
    """Run the tracker until it is told to stop."""
    settings = read(environ, "KAFKA", "SCHEMA", "TRACKER", "MANAGEMENT", "LOG", "TRACING")
    streaming = wire(
        settings,
        Party.TRACKER,
        sources=(KCIS, OBSERVATIONS),
        table="tracker-entities",
        kept=Kept[TrackedEntity],
        max_pulled=settings.tracker.max_pulled,
        telemetry=TrackerTelemetry,
    )
    flow = TrackStatus(
        intake=streaming.intake(key_of=entity_of, dead_letters_per_minute=settings.tracker.dead_letters_per_minute),
        wakes=streaming.stream,
        clock=streaming.clock,
        policy=tracking_policy(settings.tracker),
    )
    streaming.connect(flow)
    return streaming.run()


def tracking_policy(settings: TrackerSettings) -> TrackingPolicy:
    """The policy that the settings describe."""
    return TrackingPolicy(
        problem_silence=settings.problem_silence_seconds,
        test_silence=settings.test_silence_seconds,
        silent_acceptance=settings.silent_acceptance_seconds,
        action_due=settings.action_due_seconds,
        remember_ended=settings.remember_ended_seconds,
    )
