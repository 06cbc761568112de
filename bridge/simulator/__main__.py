"""`python -m bridge.simulator` serves; `python -m bridge.simulator tables` prints the tables of docs/simulator.md."""

import sys

from bridge.simulator import serve, tables

if sys.argv[1:] == ["tables"]:
    sys.stdout.write(tables.every_table())
else:
    serve.main()
