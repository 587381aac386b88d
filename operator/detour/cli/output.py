"""How commands print: text for people, JSON or YAML for programs."""

import enum
import json
import sys
from collections.abc import Iterable
from typing import Any

import yaml
from rich.console import Console
from rich.text import Text

COLOURS = {
    "bold red": ("Down", "Failing", "Refused"),
    "red": ("Held", "Stale", "Suspected", "Unhealthy"),
    "yellow": ("Degraded", "FailedOver", "Suspect", "Recovering", "Throttled", "Pending", "Unseen", "Deleting"),
    "cyan": ("Pinned", "Suspended", "Frozen", "Drained"),
    "green": ("OK", "Healthy", "Trusted"),
}


class Format(enum.StrEnum):
    """How to print: for people unless it is said."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


def coloured(lines: Iterable[str]) -> Text:
    """Return lines in which states have colours, where the terminal has any."""
    text = Text("\n".join(lines))
    for style, states in COLOURS.items():
        text.highlight_words([*states], style)
    return text


def show(lines: Iterable[str], document: dict[str, Any], form: Format) -> None:
    """Print lines for people, or the same as a document for programs."""
    if form is Format.JSON:
        print(json.dumps(document, indent=2))
    elif form is Format.YAML:
        print(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), end="")
    elif sys.stdout.isatty():
        Console(soft_wrap=True, highlight=False).print(coloured(lines))
    else:
        print("\n".join(lines))
