import pytest

from bridge.simulator.plans import COMMANDS, Plan, UnknownPlan, plan_of
from bridge.simulator.scenarios import SCENARIOS


def planned(service_id: str, header: str | None = None) -> Plan:
    return plan_of(service_id, header, None, "HAPPY_PATH")


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_service_id_names_a_scenario(name: str) -> None:
    service_id = f"SIM-{name}-0001"
    assert len(service_id) <= 50
    assert planned(service_id).scenario.name == name


@pytest.mark.parametrize("service_id", ["SI2345432345345", "sim-TEST_GREEN-1", "", "XSIM-TEST_GREEN-1"])
def test_any_other_service_id_gets_the_default(service_id: str) -> None:
    assert planned(service_id).scenario.name == "HAPPY_PATH"
    assert planned(service_id).faults == ()


@pytest.mark.parametrize("service_id", ["SIM-TEST_GREEN+HTTP_503x2@problems-1-2", "SIM-TEST_GREEN.HTTP_503x2~prob-1"])
def test_a_fault_has_a_count_and_an_operation(service_id: str) -> None:
    plan = planned(service_id)
    (fault,) = plan.faults
    assert (plan.scenario.name, fault.fault.name) == ("TEST_GREEN", "HTTP_503")
    assert (fault.count, fault.operations) == (2, ("problems",))
    assert plan.strikes("problems") == (fault,)
    assert plan.strikes("tests") == ()


def test_a_fault_without_an_operation_strikes_every_command_and_no_read() -> None:
    plan = planned("SIM-HAPPY_PATH+RESET-1")
    assert all(plan.strikes(operation) for operation in COMMANDS)
    assert not plan.strikes("get_test")
    assert planned("SIM-HAPPY_PATH+RESET@get_test-1").strikes("get_test")


def test_faults_combine() -> None:
    plan = planned("SIM-HAPPY_PATH+KCI_LOST@p+KCI_DOUBLEDx3+RESET-1")
    assert [each.fault.name for each in plan.faults] == ["KCI_LOST", "KCI_DOUBLED", "RESET"]
    assert (plan.upset("KCI_LOST", "problems"), plan.upset("KCI_LOST", "tests")) == (2, 0)
    assert plan.upset("KCI_DOUBLED", "tests") == 3
    assert [each.fault.name for each in plan.strikes("tests")] == ["RESET"]


def test_the_header_goes_before_the_service_id() -> None:
    assert planned("SIM-TEST_GREEN-1", "TEST_AMBER+RESET").scenario.name == "TEST_AMBER"


@pytest.mark.parametrize(
    ("service_id", "told"),
    [
        ("SIM-HAPY_PATH-1", "HAPPY_PATH"),
        ("SIM-HAPPY_PATH+KCI_GONE-1", "KCI_LOST"),
        ("SIM-HAPPY_PATH+RESET@x-1", "amendments"),
        ("SIM-HAPPY_PATH+RESET@get-1", "get_problem"),
        ("SIM-HAPPY_PATH+-1", "RESET"),
        ("SIM-HAPPY_PATH+RESETx-1", "RESET"),
    ],
)
def test_a_slip_of_the_pen_is_refused_with_what_exists(service_id: str, told: str) -> None:
    with pytest.raises(UnknownPlan, match=told):
        planned(service_id)
