"""The simulator as a program of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable

import httpx


async def _program(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bridge.simulator",
        *arguments,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_it_serves_where_the_environment_says_and_ends_on_sigterm(free_port: Callable[[], int]) -> None:
    listen = f"127.0.0.1:{free_port()}"
    program = await _program(SIMULATOR_LISTEN=listen)
    try:
        async with asyncio.timeout(20), httpx.AsyncClient() as client:
            answered = 0
            while answered != 200:
                try:
                    answered = (await client.get(f"http://{listen}/live")).status_code
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
    finally:
        program.send_signal(signal.SIGTERM)
        output, errors = await asyncio.wait_for(program.communicate(), 10)
    assert listen in output.decode()
    assert errors == b""


async def test_it_refuses_bad_settings_in_a_sentence() -> None:
    program = await _program(SIMULATOR_SEED="x")
    _, errors = await asyncio.wait_for(program.communicate(), 20)
    assert program.returncode == 2
    assert "SIMULATOR_SEED" in errors.decode()
    assert "Traceback" not in errors.decode()


async def test_it_prints_the_tables_of_its_page() -> None:
    program = await _program("tables")
    output, _ = await asyncio.wait_for(program.communicate(), 20)
    assert program.returncode == 0
    assert "SILENT_ACCEPTANCE" in output.decode()
