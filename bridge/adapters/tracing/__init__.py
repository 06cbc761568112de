"""
OpenTelemetry traces: spans around the ports (`spans.py`), their contexts in headers and in tables (`context.py`), and
their way out by OTLP (`export.py`).

Imported only by a service that traces: one that does not pays nothing for it, not even the import (docs/adr/0010).
"""
