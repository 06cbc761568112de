"""What the page says of bars, and of runs that are not worth quoting."""

import json
from pathlib import Path

import pytest

from tests.bench import page
from tests.bench.bars import MAIN


def row_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, seconds: float, load: float, besides: str | None = None
) -> str:
    """
    The row of the absolute bar on the page that is made of one run of 2,500 calls per CPU second, and of one second
    of the variant `besides`.
    """
    run = {
        "case": "deliver",
        "variant": MAIN,
        "side": "bridge",
        "repeat": 1,
        "at": "2026-01-01T00:00:00Z",
        "commit": "abc",
        "versions": {},
        "cpu": "any",
        "python": "3",
        "cpus": 2,
        "load": load,
        "asked_seconds": seconds,
        "seconds": seconds,
        "calls_per_cpu_second": 2500,
    }
    runs = [run, *([] if besides is None else [{**run, "variant": besides, "asked_seconds": 1}])]
    (tmp_path / "deliver.jsonl").write_text("\n".join(map(json.dumps, runs)))
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(page, "_draw", lambda runs: None)
    page.write(tmp_path)
    lines = (tmp_path / "page.md").read_text().splitlines()
    return next(line for line in lines if "| durable calls per CPU second | " in line)


def test_a_bar_is_called_met_by_runs_that_were_long_and_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert row_of(tmp_path, monkeypatch, seconds=60, load=0.5).endswith("| 2,500 | yes |")


@pytest.mark.parametrize(("seconds", "load"), [(10, 0.5), (60, 2.5)])
def test_a_short_run_or_one_beside_others_gives_no_verdict(
    seconds: float, load: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert row_of(tmp_path, monkeypatch, seconds=seconds, load=load).endswith("| 2,500 |  |")


def test_a_short_run_that_a_bar_does_not_read_leaves_it_its_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = row_of(tmp_path, monkeypatch, seconds=60, load=0.5, besides="api 0 ms, 100 in flight, 1 worker")
    assert row.endswith("| 2,500 | yes |")
