"""
The Grafana dashboards as code: `python -m tests.dashboards` writes `helm/dashboards/*.json`, and a test says when they
differ.

Each panel is one row of a table: a title, what it means, its unit, and its queries with the names of their series.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from string import ascii_uppercase
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode, LegendPlacement, StackingMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef, Threshold, ThresholdsMode, VariableRefresh

DIRECTORY = Path(__file__).parents[1] / "helm" / "dashboards"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH, HEIGHT = 24, 8
ON = True
SECONDS, SHORT, PER_SECOND, SHARE = "s", "short", "ops", "percentunit"


class Query(NamedTuple):
    """A PromQL expression, and the name of its series with labels in braces."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """`bad_from` colours a value red from there on; `stat` shows the latest value instead of its course."""

    title: str
    meaning: str
    unit: str
    queries: tuple[Query, ...]
    bad_from: float | None = None
    stat: bool = False
    stacked: bool = False
    span: int = 8


class Row(NamedTuple):
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


def one(expr: str, legend: str = "") -> tuple[Query, ...]:
    """A panel's only query."""
    return (Query(expr, legend),)


RATE = "[$__rate_interval]"

ON_CALL = (
    Row(
        "Is it healthy",
        (
            Panel(
                "Alerts firing",
                "All alerts of the bridge; each leads to docs/runbook.md.",
                SHORT,
                one('count(ALERTS{alertname=~"Bridge.*", alertstate="firing"}) or vector(0)'),
                1,
                stat=True,
                span=4,
            ),
            Panel(
                "Dispatchers",
                "Processes that Prometheus reaches.",
                SHORT,
                one('count(bridge_build_info{service="dispatcher"}) or vector(0)'),
                stat=True,
                span=4,
            ),
            Panel(
                "Ingesters",
                "Processes that Prometheus reaches.",
                SHORT,
                one('count(bridge_build_info{service="ingester"}) or vector(0)'),
                stat=True,
                span=4,
            ),
            Panel(
                "Trackers",
                "Processes that Prometheus reaches.",
                SHORT,
                one('count(bridge_build_info{service="tracker"}) or vector(0)'),
                stat=True,
                span=4,
            ),
            Panel(
                "Workers out of their group",
                "They live, and do not take part (BridgeNotTakingPart).",
                SHORT,
                one("count(bridge_group_member == 0) or vector(0)"),
                1,
                stat=True,
                span=4,
            ),
            Panel(
                "Not connected to Kafka",
                "Processes that no broker answers.",
                SHORT,
                one("count(bridge_kafka_connected == 0) or vector(0)"),
                1,
                stat=True,
                span=4,
            ),
        ),
    ),
    Row(
        "What is stuck, and since when",
        (
            Panel(
                "Age of the oldest unsettled record",
                "By source topic; the lag that counts.",
                SECONDS,
                one("topic:bridge_consumer_lag_seconds:max", "{{topic}}"),
                300,
            ),
            Panel(
                "Records not settled",
                "By source topic, from the brokers' offsets.",
                SHORT,
                one("topic:bridge_consumer_lag_records:sum", "{{topic}}"),
            ),
            Panel(
                "Commands at the front",
                "By how they do; UNKNOWN ones may have been taken.",
                SHORT,
                one("sum by (standing) (bridge_commands)", "{{standing}}"),
            ),
            Panel(
                "Age of the oldest command",
                "Since it came to the front, or became UNKNOWN.",
                SECONDS,
                one("max by (standing) (bridge_oldest_command_seconds)", "{{standing}}"),
                1800,
            ),
            Panel(
                "Journeys that need a person",
                "By what for; bridge journeys list shows which.",
                SHORT,
                one("sum by (attention) (bridge_journeys_attention) > 0", "{{attention}}"),
                stacked=True,
            ),
            Panel(
                "Journeys",
                "By phase, without those that ended.",
                SHORT,
                one('sum by (phase) (bridge_journeys{phase!="ENDED"})', "{{phase}}"),
                stacked=True,
            ),
            Panel(
                "Dead letters",
                "New ones in each hour, by topic and reason.",
                SHORT,
                one("sum by (topic, reason) (increase(bridge_dead_letters_total[1h])) > 0", "{{topic}} {{reason}}"),
                1,
            ),
            Panel(
                "Quarantine",
                "New deliveries in each hour, by reason.",
                SHORT,
                one("sum by (reason) (increase(bridge_quarantined_total[1h])) > 0", "{{reason}}"),
                1,
            ),
            Panel(
                "KCIs missing",
                "Sequence numbers that have not come, and gaps in each hour.",
                SHORT,
                (
                    Query("sum(bridge_missing_kcis)", "missing"),
                    Query("sum(increase(bridge_kci_sequence_gaps_total[1h]))", "gaps an hour"),
                ),
                1,
            ),
        ),
    ),
    Row(
        "The gateway",
        (
            Panel(
                "Calls",
                "By what the answer says of them.",
                PER_SECOND,
                one("sum by (answer) (command:bridge_gateway_calls:rate5m)", "{{answer}}"),
                stacked=True,
            ),
            Panel(
                "Calls that fail",
                "Not taken, or nobody knows.",
                SHARE,
                one("bridge:gateway_calls_failing:ratio_rate5m", "failing"),
                0.2,
            ),
            Panel(
                "Duration of calls",
                "95 of 100 are faster, by command.",
                SECONDS,
                one("command:bridge_gateway_call_seconds:p95_5m", "{{command}}"),
            ),
            Panel(
                "Breakers that are not closed",
                "1 for each worker whose way to the supplier is closed.",
                SHORT,
                one('sum by (supplier) (bridge_supplier_breaker{position!="CLOSED"}) > 0', "{{supplier}}"),
                1,
            ),
            Panel(
                "Calls in flight",
                "All, and by supplier.",
                SHORT,
                (
                    Query("sum(bridge_gateway_calls_in_flight)", "all"),
                    Query("sum by (supplier) (bridge_supplier_calls_in_flight)", "{{supplier}}"),
                ),
            ),
            Panel(
                "Access",
                "The token's age, failures in a row to get one, and whether the gateway refuses us.",
                SHORT,
                (
                    Query("max(bridge_gateway_token_age_seconds) / 60", "token age (min)"),
                    Query("max(bridge_gateway_token_failures)", "token failures in a row"),
                    Query("max(bridge_gateway_access_refused)", "access refused"),
                ),
            ),
        ),
    ),
    Row(
        "Webhook and tracker",
        (
            Panel(
                "Webhook answers",
                "By HTTP status.",
                PER_SECOND,
                one(f"sum by (code) (rate(bridge_webhook_answers_total{RATE})) > 0", "{{code}}"),
                stacked=True,
            ),
            Panel(
                "Webhook answers with 5xx",
                "The gateway sends these again.",
                SHARE,
                one("bridge:webhook_answers_failing:ratio_rate5m", "5xx"),
                0.05,
            ),
            Panel(
                "Webhook",
                "Time to answer, 99 of 100; requests in flight; since the latest KCI.",
                SHORT,
                (
                    Query(
                        f"histogram_quantile(0.99, sum by (le) (rate(bridge_webhook_answer_seconds_bucket{RATE})))",
                        "p99 (s)",
                    ),
                    Query("sum(bridge_webhook_requests_in_flight)", "in flight"),
                    Query("(time() - max(bridge_webhook_last_kci_timestamp_seconds)) / 60", "latest KCI (min)"),
                ),
            ),
            Panel(
                "KCI to transition",
                "From the webhook to the published transition.",
                SECONDS,
                (
                    Query(
                        f"histogram_quantile(0.5, sum by (le) (rate(bridge_transition_seconds_bucket{RATE})))", "p50"
                    ),
                    Query("bridge:transition_seconds:p99_15m", "p99"),
                ),
                10,
            ),
            Panel(
                "Reconciliation",
                "GETs asked for by why, and KCIs that they found, in each hour.",
                SHORT,
                (
                    Query("sum by (why) (increase(bridge_reconciliations_total[1h]))", "{{why}}"),
                    Query("sum(increase(bridge_reconciliation_finds_total[1h]))", "found"),
                ),
            ),
            Panel(
                "Refused credentials",
                "By why.",
                PER_SECOND,
                one(f"sum by (why) (rate(bridge_webhook_authentication_failures_total{RATE}))", "{{why}}"),
            ),
        ),
    ),
    Row(
        "The processes",
        (
            Panel(
                "Records in and out",
                "Settled by the workers, and published by all.",
                PER_SECOND,
                (
                    Query(f"sum by (topic) (rate(bridge_record_seconds_count{RATE}))", "in {{topic}}"),
                    Query(f"sum by (topic) (rate(bridge_records_published_total{RATE})) > 0", "out {{topic}}"),
                ),
            ),
            Panel(
                "Time to settle a record",
                "95 of 100 are faster, by topic.",
                SECONDS,
                one(
                    f"histogram_quantile(0.95, sum by (topic, le) (rate(bridge_record_seconds_bucket{RATE})))",
                    "{{topic}}",
                ),
            ),
            Panel(
                "Publishing",
                "Time until all replicas have a record, and records not confirmed.",
                SHORT,
                (
                    Query(
                        f"histogram_quantile(0.99, sum by (le) (rate(bridge_publish_seconds_bucket{RATE})))", "p99 (s)"
                    ),
                    Query("sum(increase(bridge_publish_failures_total[1h]))", "failures an hour"),
                ),
            ),
            Panel(
                "Rebalances and take-overs",
                "In each hour, the longest of each, and commands found under way.",
                SHORT,
                (
                    Query("sum(increase(bridge_rebalance_seconds_count[1h]))", "rebalances"),
                    Query(
                        "histogram_quantile(1, sum by (le) (increase(bridge_rebalance_seconds_bucket[1h])))",
                        "longest rebalance (s)",
                    ),
                    Query(
                        "histogram_quantile(1, sum by (le) (increase(bridge_table_recovery_seconds_bucket[1h])))",
                        "longest recovery (s)",
                    ),
                    Query(
                        'sum(increase(bridge_taken_over_tickets_total{found="INTERRUPTED"}[1h]))',
                        "commands found under way",
                    ),
                ),
            ),
            Panel(
                "Tables",
                "Keys, partitions, and records read at take-overs in each hour.",
                SHORT,
                (
                    Query("sum(bridge_table_keys)", "keys"),
                    Query("sum(bridge_assigned_partitions)", "partitions"),
                    Query("sum(increase(bridge_table_recovered_records_total[1h]))", "records read"),
                    Query("sum(bridge_unsettled_records)", "records under way"),
                ),
            ),
            Panel(
                "Event loop and memory",
                "How late the loop comes back, 99 of 100; memory in MiB; age of the lag's reading.",
                SHORT,
                (
                    Query(
                        "histogram_quantile(0.99, sum by (instance, le) "
                        f"(rate(bridge_event_loop_lag_seconds_bucket{RATE})))",
                        "{{instance}} loop p99 (s)",
                    ),
                    Query(
                        "process_resident_memory_bytes * on (instance) bridge_build_info / 1048576", "{{instance}} MiB"
                    ),
                    Query("time() - max(bridge_consumer_lag_seen_timestamp_seconds)", "lag seen (s ago)"),
                ),
            ),
        ),
    ),
)

BUSINESS = (
    Row(
        "Faults",
        (
            Panel(
                "Faults reported",
                "In the time shown.",
                SHORT,
                one("round(sum(increase(bridge_faults_total[$__range])))"),
                stat=True,
                span=6,
            ),
            Panel(
                "Open journeys",
                "Faults that are not over.",
                SHORT,
                one('sum(bridge_journeys{phase!="ENDED"})'),
                stat=True,
                span=6,
            ),
            Panel(
                "Answers overdue",
                "Suppliers that wait for one; a resolution that nobody answers counts as accepted.",
                SHORT,
                one('sum(bridge_actions_required{due="OVERDUE"})'),
                1,
                stat=True,
                span=6,
            ),
            Panel(
                "Refused",
                "Commands that the gateway refused, in the time shown.",
                SHORT,
                one('round(sum(increase(bridge_outcomes_total{verdict="REFUSED"}[$__range])))'),
                stat=True,
                span=6,
            ),
            Panel(
                "Faults by supplier",
                "Reported in each hour.",
                SHORT,
                one("sum by (supplier) (increase(bridge_faults_total[1h]))", "{{supplier}}"),
                stacked=True,
                span=12,
            ),
            Panel(
                "Faults by type",
                "Reported in each hour.",
                SHORT,
                one("sum by (problem_type) (increase(bridge_faults_total[1h]))", "{{problem_type}}"),
                stacked=True,
                span=12,
            ),
        ),
    ),
    Row(
        "How long it takes",
        (
            Panel(
                "Until a fault is raised",
                "From the ticket's event to the problem on the gateway.",
                SECONDS,
                (
                    Query("histogram_quantile(0.5, sum by (le) (rate(bridge_raise_seconds_bucket[1h])))", "half"),
                    Query("bridge:raise_seconds:p95_1h", "95 of 100"),
                ),
                1800,
                span=12,
            ),
            Panel(
                "Until it is resolved",
                "From the ticket's event to RESOLVED; half of them are faster, by supplier.",
                SECONDS,
                one(
                    "histogram_quantile(0.5, sum by (supplier, le) (increase(bridge_repair_seconds_bucket[1d])))",
                    "{{supplier}}",
                ),
                span=12,
            ),
        ),
    ),
    Row(
        "What became of them",
        (
            Panel(
                "Journeys that ended",
                "By how, in each hour.",
                SHORT,
                one("sum by (end) (increase(bridge_journeys_ended_total[1h])) > 0", "{{end}}"),
                stacked=True,
                span=12,
            ),
            Panel(
                "Refused, rejected, failed",
                "Journeys that ended so, by supplier, in each day.",
                SHORT,
                one(
                    "sum by (supplier, end) (increase(bridge_journeys_ended_total"
                    '{end=~"REFUSED|REJECTED|FAILED_TO_SEND|FAILED|INVALID"}[1d])) > 0',
                    "{{supplier}} {{end}}",
                ),
                span=12,
            ),
            Panel(
                "Outcomes",
                "What is known of commands, by verdict, in each hour.",
                SHORT,
                one("sum by (command, verdict) (increase(bridge_outcomes_total[1h])) > 0", "{{command}} {{verdict}}"),
                stacked=True,
                span=12,
            ),
            Panel(
                "Problems",
                "By status.",
                SHORT,
                one('sum by (status) (bridge_entities{entity_type="SERVICE_PROBLEM"}) > 0', "{{status}}"),
                stacked=True,
                span=12,
            ),
        ),
    ),
    Row(
        "What suppliers wait for",
        (
            Panel(
                "Answers required",
                "By how long there is still time.",
                SHORT,
                one("sum by (due) (bridge_actions_required)", "{{due}}"),
                stacked=True,
            ),
            Panel(
                "Answers required",
                "By what is asked.",
                SHORT,
                one("sum by (action) (bridge_actions_required) > 0", "{{action}}"),
                stacked=True,
            ),
            Panel(
                "Time to the nearest deadline",
                "By what is asked; negative is overdue.",
                SECONDS,
                one("min by (action) (bridge_action_due_in_seconds)", "{{action}}"),
            ),
            Panel(
                "Transitions",
                "Status changes published in each hour, by who told of them.",
                SHORT,
                one("sum by (source, move) (increase(bridge_transitions_total[1h])) > 0", "{{source}} {{move}}"),
                span=24,
            ),
        ),
    ),
)
BOARDS = {
    "on-call": ("Fibre fault bridge: on call", "Is it healthy, what is stuck, since when.", ON_CALL, "now-6h"),
    "business": (
        "Fibre fault bridge: business",
        "Faults by supplier and type, time to resolve, refused, overdue answers.",
        BUSINESS,
        "now-7d",
    ),
}


def scoped(expr: str) -> str:
    """The expression for the chosen namespaces only; a scrape without that label is in all of them."""
    name = re.compile(r"\b((?:bridge_|process_)\w+|\w+:\w+:\w+|ALERTS)(\{|(?!\w))(?!:)")

    def put(found: re.Match[str]) -> str:
        more = ", " if found[2] else "}"
        return f'{found[1]}{{namespace=~"$namespace"{more}'

    return name.sub(put, expr)


def _panel(panel: Panel) -> Any:
    builder: Any = stat.Panel() if panel.stat else timeseries.Panel()
    steps = [Threshold(color="green", value=None)]
    if panel.bad_from is not None:
        steps.append(Threshold(color="red", value=panel.bad_from))
    builder = (
        builder.title(panel.title)
        .description(panel.meaning)
        .unit(panel.unit)
        .datasource(SOURCE)
        .span(panel.span)
        .height(4 if panel.stat else HEIGHT)
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    )
    if not panel.stat:
        builder = builder.legend(common.VizLegendOptions().show_legend(ON).placement(LegendPlacement.BOTTOM))
        builder = builder.fill_opacity(20 if panel.stacked else 5).min(0 if panel.title[:4] != "Time" else None)
        if panel.stacked:
            builder = builder.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
        if panel.bad_from is not None:
            style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE)
            builder = builder.thresholds_style(style)
    for reference, query in zip(ascii_uppercase, panel.queries, strict=False):
        target = prometheus.Dataquery().expr(scoped(query.expr)).legend_format(query.legend).datasource(SOURCE)
        builder = builder.with_target(target.ref_id(reference))
    return builder


def board(name: str) -> str:
    """One dashboard as JSON."""
    title, meaning, rows, since = BOARDS[name]
    builder = (
        dashboard.Dashboard(title)
        .uid(f"bridge-{name}")
        .description(meaning)
        .tags(["fibre-fault-bridge"])
        .time(since, "now")
        .refresh("1m")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("namespace")
            .label("Namespace")
            .datasource(SOURCE)
            .query("label_values(bridge_build_info, namespace)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(ON)
            .include_all(ON)
            .all_value(".*")
        )
    )
    for row in rows:
        builder = builder.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            builder = builder.with_panel(_panel(panel))
    return json.dumps(json.loads(json.dumps(builder.build(), cls=JSONEncoder)), indent=2) + "\n"


def expressions_of(path: Path) -> list[str]:
    """What the panels of a dashboard's file ask, as Prometheus would get it, with everything in view."""
    return [asked(target["expr"]) for panel in panels_of(path) for target in panel["targets"]]


def panels_of(path: Path) -> Iterable[dict[str, Any]]:
    """The panels of a dashboard's file, without the headings."""
    return (panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row")


def asked(expr: str, *, rate: str = "1m", shown: str = "10m") -> str:
    """An expression with Grafana's variables filled in."""
    return expr.replace("$namespace", ".*").replace("$__rate_interval", rate).replace("$__range", shown)


def main() -> None:
    """Write the files."""
    for name in BOARDS:
        (DIRECTORY / f"{name}.json").write_text(board(name))


if __name__ == "__main__":
    main()
