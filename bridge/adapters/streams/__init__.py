"""
Streams as the bridge runs them: Faust for the group (`app.py`), lanes for the order (`lanes.py`), fenced tables for
the state (`table.py`).

The three belong together: a record is settled in its lane, its state is written in the partition that the group
assigned.
"""
