"""The simulator as its owner sees it: what it was really asked, how things really stand, and the weather it makes."""

from typing import Any

import httpx

Json = dict[str, Any]
COMMANDS = ("tests", "problems", "amendments", "cancellations", "resolutions")
CLIENT = ("tenant", "tenant-secret")


class SimulatedGateway:
    """Reads the ledger and the truth, changes the weather, and looks at a problem as a tenant would."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False)

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def entries(self, **equal: object) -> list[Json]:
        """Every request to the API, in order of arrival; only those whose fields equal what is given."""
        return list(self._get("/ledger", equal)["entries"])

    def commands(self, conversation_id: str) -> list[Json]:
        """Every POST and PATCH of one conversation."""
        return [each for each in self.entries(conversation_id=conversation_id) if each["operation"] in COMMANDS]

    def kcis(self, **equal: object) -> list[Json]:
        """Every KCI with its deliveries."""
        return list(self._get("/ledger/kcis", equal)["kcis"])

    def problems(self, **equal: object) -> list[Json]:
        """Every problem as it really stands."""
        return _equal(self._get("/truth", {})["problems"], equal)

    def tests(self, **equal: object) -> list[Json]:
        """Every test as it really stands."""
        return _equal(self._get("/truth", {})["tests"], equal)

    def weather(self, **weather: object) -> None:
        """Replace the weather; nothing given is fair weather."""
        self._http.put("/control/faults", json=weather).raise_for_status()

    def reset(self) -> None:
        """Let it forget everything; fair weather."""
        self._http.post("/control/reset").raise_for_status()

    def ask_for_problem(self, problem_id: object) -> Json:
        """What a tenant's GET of a problem answers."""
        form = {"grant_type": "client_credentials"}
        token = self._http.post("/v1/auth/tenant/access-token", data=form, auth=CLIENT).raise_for_status().json()
        headers = {
            "X-Request-ID": "look",
            "X-Conversation-ID": "look",
            "Authorization": f"Bearer {token['access_token']}",
        }
        answer: Json = self._http.get(f"/v1/service-problems/{problem_id}", headers=headers).raise_for_status().json()
        return answer

    def _get(self, path: str, equal: dict[str, object]) -> Json:
        answer: Json = self._http.get(path, params={name: str(value) for name, value in equal.items()}).json()
        return answer


def _equal(rows: list[Json], equal: dict[str, object]) -> list[Json]:
    return [row for row in rows if all(row[name] == value for name, value in equal.items())]
