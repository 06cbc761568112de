"""
The gateway as a program of its own: the trouble-to-resolve part of the Fibre Cafe Tenant API 1.17, with stub suppliers.

It knows nothing of the rest of the package, so that it can contradict it. What it promises is in docs/simulator.md.
"""
