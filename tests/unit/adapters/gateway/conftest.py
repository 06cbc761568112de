from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping

from bridge.services.loop import new_loop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """The services' own event loop: when a transport says that it is closed is the loop's to decide."""
    return {"service": new_loop}
