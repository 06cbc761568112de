"""The benchmark's sink would see what it is there to see."""

from tests.bench.commands import Numbered
from tests.bench.sink import Ledger, take


def arrive(ledger: Ledger, ticket: int, number: int, *, answered: bool = True) -> None:
    place = ledger.arrive(Numbered(ticket, number).body(), now=1.0)
    if answered:
        ledger.leave(*place)


def test_commands_in_order_are_no_fault() -> None:
    ledger = Ledger()
    for number in range(3):
        arrive(ledger, 1, number)
        arrive(ledger, 2, number)
    counts = ledger.counts
    assert (counts.received, counts.unique, counts.answered) == (6, 6, 6)
    assert (counts.violations, counts.overlaps, counts.duplicates, counts.strange) == (0, 0, 0, 0)
    assert ledger.gaps == 0


def test_an_older_command_after_a_newer_one_is_out_of_order() -> None:
    ledger = Ledger()
    arrive(ledger, 1, 1)
    arrive(ledger, 1, 0)
    assert ledger.counts.violations == 1


def test_a_command_while_another_of_its_ticket_is_under_way_overlaps() -> None:
    ledger = Ledger()
    arrive(ledger, 1, 0, answered=False)
    arrive(ledger, 2, 0, answered=False)
    arrive(ledger, 1, 1)
    assert ledger.counts.overlaps == 1


def test_a_command_that_came_before_is_a_duplicate() -> None:
    ledger = Ledger()
    arrive(ledger, 1, 0)
    arrive(ledger, 1, 0)
    assert (ledger.counts.duplicates, ledger.counts.unique) == (1, 1)


def test_a_command_that_never_came_is_a_gap_once_a_later_one_did() -> None:
    ledger = Ledger()
    arrive(ledger, 1, 0)
    arrive(ledger, 1, 3)
    assert ledger.gaps == 2


def test_what_is_no_command_is_strange() -> None:
    ledger = Ledger()
    ledger.leave(*ledger.arrive(b"{}", now=1.0))
    assert ledger.counts.strange == 1


def test_requests_are_taken_whole_with_either_kind_of_length() -> None:
    plain = b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    chunked = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    for whole in (plain, chunked):
        assert take(whole[:-1]) is None
        taken = take(whole + b"rest")
        assert taken is not None
        assert taken[1:] == (b"abc", b"rest")
