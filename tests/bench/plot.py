"""
Draws the picture of docs/benchmarks.md from one JSON object on standard input.

Run by a Python of its own that has matplotlib (`page.py`); it imports nothing of the project.
"""

import json
import sys

import matplotlib as mpl  # type: ignore[import-not-found,unused-ignore]  # in an environment of its own, see page.py
from matplotlib import pyplot as plt  # type: ignore[import-not-found,unused-ignore]  # the same

MET, MISSED, NEUTRAL = "#2e7d32", "#c62828", "#546e7a"
LEAST, MOST = 0.01, 100.0


def draw(figures: dict[str, object]) -> None:
    """Left: each figure relative to its bar, more is better. Right: calls per CPU second of each side."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 8})
    bars, sides = figures["bars"], figures["sides"]
    assert isinstance(bars, list)
    assert isinstance(sides, dict)
    picture, (left, right) = plt.subplots(1, 2, figsize=(11, 0.3 * max(len(bars), 6) + 1.2), width_ratios=(2, 1))
    shares = [min(MOST, max(LEAST, bar["share"] or MOST)) for bar in bars]
    names = [bar["says"] if len(bar["says"]) < 70 else bar["says"][:67] + "..." for bar in bars]
    left.barh(names, shares, color=[MET if bar["met"] else MISSED for bar in bars])
    left.axvline(1, color="black", linewidth=1)
    left.set_xscale("log")
    left.set_xlabel("figure relative to its bar (1 = just met, more is better)")
    left.invert_yaxis()
    right.barh(list(sides), list(sides.values()), color=NEUTRAL)
    right.set_xlabel("calls per CPU second (API 20 ms)")
    right.invert_yaxis()
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    picture.tight_layout()
    picture.savefig(str(figures["picture"]), metadata={"Date": None})


if __name__ == "__main__":
    draw(json.load(sys.stdin))
