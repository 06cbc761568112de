"""A TLS peer that never says goodbye: it shakes hands, and says nothing more."""

import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

from tests.certificates import Authority

HOST = "127.0.0.1"
SILENT_SECONDS = 20


@contextmanager
def silent_peer(directory: Path) -> Iterator[tuple[int, str]]:
    """The port where it listens, and the file of its authority."""
    authority, done = Authority("authority", directory), threading.Event()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.sign("peer", HOST))

    class Silence(BaseRequestHandler):
        def handle(self) -> None:
            # Who does not speak TLS is sent away.
            with contextlib.suppress(OSError), context.wrap_socket(self.request, server_side=True):
                done.wait(SILENT_SECONDS)

    with ThreadingTCPServer((HOST, 0), Silence) as server:
        listening = threading.Thread(target=server.serve_forever)
        listening.start()
        try:
            yield server.server_address[1], str(authority.file)
        finally:
            done.set()
            server.shutdown()
            listening.join()
