"""How often Python looks for garbage that refers to itself: seldom, in services that make little of it."""

import gc

# Python's own is 700 new objects. Measured in the dispatcher's flow with 100 calls in flight: the collector takes 16 %
# of the CPU with it, and 1 % with this one and with what was imported left out.
NEW_OBJECTS = 10_000


def spare_the_collector() -> None:
    """Leave alone what lives as long as the process, and look at the rest less often. Called when all is wired."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, 10, 10)
