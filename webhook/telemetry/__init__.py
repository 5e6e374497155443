"""What others can see of this process while it runs: log lines and numbers.

Belongs here: how a log line looks, and the one table of every metric. Does not: the decision what
is worth a line or a count (the door's). In doubt: would an operator's dashboard show it? Then here.
"""

from __future__ import annotations

from webhook.telemetry.instruments import INSTRUMENTS, Instrument
from webhook.telemetry.logs import set_up_logs
from webhook.telemetry.metrics import Metrics

__all__ = ["INSTRUMENTS", "Instrument", "Metrics", "set_up_logs"]
