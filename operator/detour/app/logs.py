"""Log lines: for people, or one JSON object each for machines."""

import json
import logging
import sys
from datetime import UTC, datetime

EXTRA_FIELDS = (
    *("event", "reason", "record", "hostname", "zone", "region", "vantage", "external_verdict"),
    *("target", "verdict", "before", "after"),
)
"""Fields that a line may carry besides its message (docs/operations.md, Log)."""


class JSONFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name in EXTRA_FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(log_format: str, level: str) -> None:
    """Send everything to standard error; libraries only from warnings up."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)-7s %(message)s", "%H:%M:%S")
    handler.setFormatter(JSONFormatter() if log_format == "json" else plain)
    # Where a line was written, and by which thread, is not told: to find that out takes a third of each line's time.
    logging._srcfile = None  # as the logging HOWTO has it, "Optimization"
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("detour").setLevel(level.upper())
    # kopf tells of every object it hands over and of every watch that ends; `detour.kube.watching` sums that up.
    logging.getLogger("kopf").setLevel(logging.CRITICAL)
    for noisy in ("urllib3", "botocore", "azure", "google"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
