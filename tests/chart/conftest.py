"""The chart, rendered once for each set of values."""

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, Objects, Render, objects_of, scenario, text_of
from tests.tools import HELM


@pytest.fixture(scope="session")
def render() -> Iterator[Render]:
    """Return a function that renders a scenario, with a dict of other values over it."""
    with tempfile.TemporaryDirectory() as folder:

        def render_once(name: str = "minimal", /, chart: Path = CHART, **values: Any) -> Objects:
            over = yaml.safe_dump(values)
            path = Path(folder) / f"{hashlib.sha256(over.encode()).hexdigest()[:16]}.yaml"
            path.write_text(over, encoding="utf-8")
            return objects_of(text_of(HELM, chart, scenario(name), path))

        yield render_once
