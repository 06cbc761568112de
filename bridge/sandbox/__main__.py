"""`python -m bridge.sandbox`: the embedded Kafka on its own, for work by hand and with other tools."""

import argparse
import signal
import sys
from contextlib import suppress
from pathlib import Path

from bridge.sandbox.errors import SandboxError
from bridge.sandbox.jars import LOCK_FILE, install_jars, read_lock, write_lock
from bridge.sandbox.kafka import DEFAULT_JARS, DEFAULT_PORT, EmbeddedKafka
from bridge.sandbox.prometheus import install_programs


def main(arguments: list[str]) -> int:
    """Carry out one command and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "kafka":
            _run_kafka(options.directory, options.port, options.brokers)
        elif options.command == "prometheus":
            install_programs(announce=_say)
        elif options.command == "jars":
            install_jars(DEFAULT_JARS.absolute(), read_lock(LOCK_FILE), announce=_say)
        else:
            write_lock(LOCK_FILE, announce=_say)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run_kafka(directory: Path, port: int, brokers: int) -> None:
    """Run a cluster until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), EmbeddedKafka(directory, port, brokers=brokers, announce=_say) as kafka:
        _say(f"Apache Kafka answers at {kafka.bootstrap_servers}; logs and data in {directory}; Ctrl-C ends it")
        while True:
            signal.pause()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bridge.sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    kafka = commands.add_parser("kafka", help="run Apache Kafka on 127.0.0.1 until Ctrl-C; the data stays")
    kafka.add_argument("--port", type=int, default=DEFAULT_PORT, help="first port (default %(default)s), 2 per broker")
    kafka.add_argument("--brokers", type=int, default=1, choices=(1, 3), help="1 (default) or 3 with replication 3")
    kafka.add_argument("--directory", type=Path, default=Path(".sandbox", "kafka"), help="default: %(default)s")
    commands.add_parser("jars", help="download and verify the jars of Apache Kafka")
    commands.add_parser("prometheus", help="download Prometheus and promtool, unless they are on the PATH")
    commands.add_parser("lock", help="resolve the jars anew and write their lock file (for maintainers)")
    return parser


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
