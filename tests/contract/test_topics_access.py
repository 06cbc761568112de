"""Each part of the bridge is given its topics, its group and its transactions on a cluster, and no more."""

import shlex

import pytest
from typer.testing import CliRunner

from bridge.cli.acls import access_commands, access_of
from bridge.cli.topics import app
from bridge.topics import Party
from tests.schema_examples import the_topics


def rights(party: Party) -> dict[str, set[str]]:
    """Operations by `resource:name`, or `resource:name*` for all names that begin so."""
    return {
        f"{access.resource}:{access.name}{'*' if access.prefixed else ''}": set(access.operations)
        for access in access_of(party, the_topics(), "uk.")
    }


def test_the_ingester_writes_its_two_topics_and_can_do_nothing_else() -> None:
    assert rights(Party.INGESTER) == {
        "topic:uk.kcis": {"Describe", "Write"},
        "topic:uk.kci-quarantine": {"Describe", "Write"},
    }


def test_a_worker_owns_its_table_its_group_and_its_transactions() -> None:
    tracker = rights(Party.TRACKER)

    assert tracker["topic:uk.tracker-entities"] == {"Describe", "Read", "Write"}
    assert tracker["topic:uk.kcis"] == {"Describe", "Read"}
    assert tracker["topic:uk.problem-status"] == {"Describe", "Write"}
    assert tracker["group:uk.tracker"] == {"Read"}
    assert tracker["transactional-id:uk.tracker-*"] == {"Describe", "Write"}
    assert "topic:uk.dispatcher-journeys" not in tracker


@pytest.mark.parametrize("party", [Party.CLI, Party.CONSOLE])
def test_who_decides_about_dead_letters_has_the_one_transaction_of_all_who_decide(party: Party) -> None:
    assert rights(party)["transactional-id:uk.dead-letter-audit"] == {"Describe", "Write"}
    assert rights(party)["topic:uk.dead-letter-audit"] == {"Describe", "Read", "Write"}


def test_the_provider_is_given_nothing_here() -> None:
    assert "User:provider" not in "".join(access_commands(the_topics(), "uk.", "User:{party}"))


@pytest.mark.parametrize("party", [party for party in Party if party is not Party.DISPATCHER])
def test_nobody_but_the_dispatcher_reads_what_only_it_consumes(party: Party) -> None:
    assert "Read" not in rights(party).get("topic:uk.fault-tickets", set())


def test_each_command_is_one_that_a_shell_takes() -> None:
    commands = [shlex.split(line) for line in access_commands(the_topics(), "uk.", "User:CN={party},O=Example Telecom")]

    assert {tuple(words[:4]) for words in commands} == {
        ("kafka-acls", "--bootstrap-server", "$BRIDGE_KAFKA_BOOTSTRAP_SERVERS", "--add")
    }
    secured = access_commands(the_topics(), "uk.", "User:{party}", "/etc/kafka/admin.properties")
    assert all("--command-config '/etc/kafka/admin.properties' --add" in line for line in secured)
    users = {words[words.index("--allow-principal") + 1] for words in commands}
    assert users == {
        f"User:CN={part},O=Example Telecom"
        for part in ("dispatcher", "ingester", "tracker", "console", "cli", "topics")
    }


def test_the_command_prints_them_without_a_cluster() -> None:
    result = CliRunner().invoke(app, ["acls", "--topic-prefix", "uk."])

    assert result.exit_code == 0
    assert (
        "kafka-acls --bootstrap-server \"$BRIDGE_KAFKA_BOOTSTRAP_SERVERS\" --add --allow-principal 'User:dispatcher'"
        " --operation Describe --operation Write --transactional-id 'uk.dispatcher-' --resource-pattern-type prefixed"
    ) in result.stdout.splitlines()
