from pathlib import Path

import pytest

from bridge.simulator import tables
from bridge.simulator.settings import BadSettings, Settings, read


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read({"PATH": "/bin", "BRIDGE_X": "1"}) == Settings()


def test_the_environment_is_read_by_kind() -> None:
    settings = read(
        {
            "SIMULATOR_LISTEN": "[::1]:20001",
            "SIMULATOR_KCI_DELAY": "0.25",
            "SIMULATOR_SEED": "7",
            "SIMULATOR_REQUESTS_INSIDE_ENTITY": "false",
            "SIMULATOR_WEBHOOK_AUTH": "bearer",
        }
    )
    assert settings.address == ("::1", 20001)
    assert (settings.kci_delay, settings.seed, settings.requests_inside_entity) == (0.25, 7, False)
    assert settings.webhook_auth == "bearer"


def test_every_fault_is_told_at_once_with_its_variable() -> None:
    with pytest.raises(BadSettings) as caught:
        read({"SIMULATOR_SEED": "x", "SIMULATOR_WEBHOOK_AUTH": "magic", "SIMULATOR_LISTENN": "y"})
    for name in ("SIMULATOR_SEED", "SIMULATOR_WEBHOOK_AUTH", "SIMULATOR_LISTENN"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LISTEN", "8085"),
        ("BASE_PATH", "v1"),
        ("BASE_PATH", "/v1/"),
        ("WEBHOOK_URL", "127.0.0.1:8080/kcis"),
        ("KCI_JITTER", "2"),
        ("KCI_DELAY", "-1"),
        ("DELIVERY_ATTEMPTS", "0"),
        ("WEBHOOK_CONNECTIONS", "0"),
        ("REQUESTS_INSIDE_ENTITY", "perhaps"),
        ("DEFAULT_SCENARIO", "SUNSHINE"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=f"SIMULATOR_{name}"):
        read({f"SIMULATOR_{name}": value})


@pytest.mark.parametrize("table", [tables.settings_table, tables.scenario_table, tables.fault_table])
def test_the_page_has_the_tables_of_the_program(pytestconfig: pytest.Config, table: object) -> None:
    page = Path(pytestconfig.rootpath, "docs", "simulator.md").read_text()
    assert callable(table)
    assert table() in page, "print the tables anew: python -m bridge.simulator tables"
