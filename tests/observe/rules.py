"""The rules as they are, with all times made short, so that an outage of seconds does what one of hours would."""

import re
from pathlib import Path

RULES = Path(__file__).parents[2] / "helm" / "rules"
# What `for`, windows and intervals become. A window holds twenty scrapes.
FOR, WINDOW, INTERVAL = "2s", "20s", "1s"
# Thresholds that are times, or counts over a window: what stands in the rule, and what takes its place.
SHORTER = {
    "BridgeRebalancing": ("> 10", "> 1"),
    "BridgeConsumerLag": ("> 300", "> 4"),
    "BridgeLagUnknown": ("> 300", "> 25"),
    "BridgeRetriesOld": ("> 3600", "> 8"),
    "BridgeUnknownCommands": ("> 1800", "> 5"),
    "BridgeRaiseSlow": ("> 1800", "> 10"),
    "BridgeWebhookSilent": ("> 14400", "> 15"),
    "BridgeReconciliationFinds": ("> 10", "> 0"),
    "BridgeTransitionSlow": ("> 10", "> 5"),
}


def write_shortened(directory: Path) -> list[Path]:
    """Write both files with short times, and return where."""
    written = []
    for path in sorted(RULES.glob("*.yaml")):
        text = re.sub(r"\[\d+[mh]\]", f"[{WINDOW}]", path.read_text())
        text = re.sub(r"(\n +for:) \S+", rf"\1 {FOR}", text)
        text = re.sub(r"(\n +interval:) \S+", rf"\1 {INTERVAL}", text)
        for alert, (long, short) in SHORTER.items():
            head, name, rest = text.partition(f"- alert: {alert}\n")
            if name:
                assert long in rest.split("- alert:")[0], f"{alert} has no {long} any more"
                text = head + name + rest.replace(long, short, 1)
        written.append(directory / path.name)
        written[-1].write_text(text)
    return written
