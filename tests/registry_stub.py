"""A schema registry in memory that answers as Confluent's does, over httpx's transport or over HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

Answer = tuple[int, Any]
NO_SUBJECT: Answer = (404, {"error_code": 40401, "message": "Subject not found."})
NO_SCHEMA: Answer = (404, {"error_code": 40403, "message": "Schema not found"})


class RegistryStub:
    """Ids start at 1 and belong to a schema's text; `refuse` makes it refuse every new schema with that message."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.subjects: dict[str, list[int]] = {}
        self.asked: list[str] = []
        self.refuse: str | None = None
        self.credentials: str | None = None

    def answer(self, method: str, path: str, body: Any, authorization: str | None = None) -> Answer:
        self.asked.append(f"{method} {path}")
        if self.credentials is not None and authorization != self.credentials:
            return 401, {"error_code": 401, "message": "Unauthorized"}
        parts = [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]
        match (method, *parts):
            case ("GET", "schemas", "ids", number):
                answer = self._by_id(int(number))
            case ("POST", "subjects", subject):
                answer = self._look_up(subject, body["schema"])
            case ("POST", "subjects", subject, "versions"):
                answer = self._register(subject, body["schema"])
            case ("GET", "subjects", subject, "versions"):
                numbers = list(range(1, len(self.subjects.get(subject, ())) + 1))
                answer = (200, numbers) if numbers else NO_SUBJECT
            case ("GET", "subjects", subject, "versions", number) if number.isdecimal():
                answer = self._by_id(self.subjects[subject][int(number) - 1])
            case ("GET", "subjects", subject, "versions", "latest"):
                answer = self._by_id(self.subjects[subject][-1]) if subject in self.subjects else NO_SUBJECT
            case ("POST", "compatibility", "subjects", _, "versions", "latest"):
                messages = [] if self.refuse is None else [self.refuse]
                answer = (200, {"is_compatible": not messages, "messages": messages})
            case _:
                answer = (404, {"error_code": 404, "message": "HTTP 404 Not Found"})
        return answer

    def _by_id(self, number: int) -> Answer:
        return (200, {"id": number, "schema": self.texts[number - 1]}) if 0 < number <= len(self.texts) else NO_SCHEMA

    def _look_up(self, subject: str, text: str) -> Answer:
        if subject not in self.subjects:
            return NO_SUBJECT
        for number in self.subjects[subject]:
            if json.loads(self.texts[number - 1]) == json.loads(text):
                return 200, {"subject": subject, "id": number, "version": 1, "schema": text}
        return NO_SCHEMA

    def _register(self, subject: str, text: str) -> Answer:
        if self.refuse is not None:
            return 409, {"error_code": 409, "message": self.refuse}
        if text not in self.texts:
            self.texts.append(text)
        number = self.texts.index(text) + 1
        ids = self.subjects.setdefault(subject, [])
        if number not in ids:
            ids.append(number)
        return 200, {"id": number}

    def transport(self) -> httpx.MockTransport:
        """For an httpx client that is to talk to this registry without a network."""

        def handle(request: httpx.Request) -> httpx.Response:
            body = json.loads(request.content) if request.content else None
            status, content = self.answer(
                request.method, request.url.raw_path.decode(), body, request.headers.get("authorization")
            )
            return httpx.Response(status, json=content)

        return httpx.MockTransport(handle)


@contextmanager
def served(stub: RegistryStub, port: int) -> Iterator[str]:
    """Serve the stub on 127.0.0.1 and give its URL."""

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, content = stub.answer(self.command, self.path, body, self.headers.get("authorization"))
            payload = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", "application/vnd.schemaregistry.v1+json")
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PUT = _handle  # noqa: N815 - the names that http.server looks for

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gives it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
