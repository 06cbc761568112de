"""The main figures of a run as one picture, drawn with matplotlib from what Prometheus answers."""

import json
import subprocess
import sys
import venv
from pathlib import Path

from tests.observe.server import PrometheusServer

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "observe.png"
PLOTTER = ROOT / ".sandbox" / "plotter"
MATPLOTLIB = "matplotlib==3.10.3"
STEP_SECONDS = 2.0
FIGURES = (
    ("Journeys, by phase", 'sum by (phase) (bridge_journeys{phase!="ENDED"})', "phase"),
    ("Faults reported, by supplier", "sum by (supplier) (bridge_faults_total)", "supplier"),
    (
        "Calls to the gateway a second, by answer",
        "sum by (answer) (rate(bridge_gateway_call_seconds_count[20s]))",
        "answer",
    ),
    (
        "Ticket to problem raised (s), half of them",
        "histogram_quantile(0.5, sum by (le) (rate(bridge_raise_seconds_bucket[20s])))",
        "",
    ),
    (
        "KCI to transition (s), half and 99 of 100",
        (
            "label_replace(histogram_quantile(0.5, sum by (le) (rate(bridge_transition_seconds_bucket[20s]))), "
            '"share", "half", "", "") or label_replace(bridge:transition_seconds:p99_15m, "share", "99 of 100", "", "")'
        ),
        "share",
    ),
    ("Age of the oldest unsettled record (s)", "topic:bridge_consumer_lag_seconds:max", "topic"),
    ("Commands at the front, by standing", "sum by (standing) (bridge_commands)", "standing"),
    (
        "Alerts firing",
        # Where none fires there is no series, and a line would be drawn from the last point to the next.
        (
            'count by (severity) (ALERTS{alertstate="firing"})'
            ' or label_replace(vector(0), "severity", "critical", "", "")'
            ' or label_replace(vector(0), "severity", "warning", "", "")'
        ),
        "severity",
    ),
)
DRAW = """
import json, sys
import matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot
figures, target = json.load(open(sys.argv[1])), sys.argv[2]
pyplot.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
made, axes = pyplot.subplots(4, 2, figsize=(11, 9), sharex=True, constrained_layout=True)
for axis, (title, series) in zip(axes.flat, figures):
    for name, points in series:
        axis.plot([x / 60 for x, _ in points], [y for _, y in points], label=name or None, linewidth=1.2)
    axis.set_title(title, loc="left", fontsize=9, fontweight="bold")
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.25)
    if any(name for name, _ in series):
        axis.legend(frameon=False, fontsize=7, loc="upper left", ncols=2)
for axis in axes[-1]:
    axis.set_xlabel("minutes since the start")
made.savefig(target, dpi=85)
"""


def draw(prometheus: PrometheusServer, start: float, end: float) -> None:
    """Write the picture; matplotlib lives in an environment of its own, made once."""
    figures = []
    for title, expr, label in FIGURES:
        series = [
            (
                each["metric"].get(label, ""),
                [(moment - start, float(number)) for moment, number in each["values"] if number != "NaN"],
            )
            for each in prometheus.course(expr, start, end, STEP_SECONDS)
        ]
        figures.append((title, sorted(series)))
    data = PLOTTER.parent / "observe-figures.json"
    data.write_text(json.dumps(figures))
    PICTURE.parent.mkdir(exist_ok=True)
    subprocess.run([str(_plotter()), "-c", DRAW, str(data), str(PICTURE)], check=True)


def _plotter() -> Path:
    python = PLOTTER / "bin" / "python"
    if not (PLOTTER / "ready").exists():
        venv.create(PLOTTER, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", MATPLOTLIB]
        subprocess.run(install, check=True, stdout=sys.stderr)
        (PLOTTER / "ready").touch()
    return python
