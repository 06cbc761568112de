import socket

from bridge.sandbox.ports import HIGHEST, LOWEST, free_port, is_free


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        port = listener.getsockname()[1]

        assert not is_free(port)
    assert is_free(port)


def test_a_span_of_ports_is_free_in_all_its_length_and_below_the_ephemeral_range() -> None:
    first = free_port(6)

    assert all(is_free(first + offset) for offset in range(6))
    assert LOWEST <= first <= first + 5 <= HIGHEST < 32768
