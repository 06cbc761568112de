"""
One package per Deployment: each wires adapters to flows and decides nothing. `streaming.py` is what the Faust
services share.
"""
