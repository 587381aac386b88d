"""The ConfigMaps that records take their certificate authorities from, read now and then, each once.

The API server is asked for them by name, as the operator may read no others. One that is missing or forbidden is asked
for again with growing pauses, and whoever needs it is told why it waits. What a ConfigMap holds is never quoted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from detour.engine.ports import ClusterError
from detour.model.objects import Subject

PERIOD = 60.0
"""Seconds between two readings of a ConfigMap that is there."""

AT_ONCE = 20
"""Records that are told in one turn of the event loop."""

FIRST_PAUSE = 1.0
"""Seconds until one that is not is asked for again: doubling up to `PERIOD`."""


class Reference(NamedTuple):
    """A key of a ConfigMap."""

    namespace: str
    name: str
    key: str

    def __str__(self) -> str:
        return f"spec.healthCheck.https.caBundleRef: ConfigMap {self.namespace}/{self.name}"


class Bundle(NamedTuple):
    """What a reference leads to: PEM text, or why there is none, as a reason and a sentence."""

    text: str | None
    reason: str = ""
    message: str = ""


@dataclass(slots=True)
class _ConfigMap:
    """`data` is what was read last, `status` the HTTP status of an error since; both None before the first answer."""

    users: dict[Reference, dict[Subject, None]] = field(default_factory=dict)
    data: Mapping[str, str] | None = None
    status: int | None = None
    due_at: float = 0.0
    pause: float = FIRST_PAUSE


class Bundles:
    """Reads ConfigMaps with `read` (namespace, name), which may raise ClusterError; `on_news` gets whom it concerns."""

    def __init__(
        self, read: Callable[[str, str], Awaitable[Mapping[str, str]]], *, on_news: Callable[[Subject], None]
    ) -> None:
        self._read = read
        self._on_news = on_news
        self._maps: dict[tuple[str, str], _ConfigMap] = {}
        self._references: dict[Subject, Reference] = {}

    def want(self, subject: Subject, reference: Reference) -> Bundle | None:
        """`subject` needs this one from now on; return it, None before the first answer."""
        is_new = self._references.get(subject) != reference
        if is_new:
            self.leave(subject)
        self._references[subject] = reference
        kept = self._maps.setdefault(_place(reference), _ConfigMap())
        if is_new and kept.data is not None and reference.key not in kept.data:
            kept.due_at = 0.0  # the key may have been added just now
        kept.users.setdefault(reference, {})[subject] = None
        return _bundle(kept, reference)

    def leave(self, subject: Subject) -> None:
        """`subject` needs none any more."""
        reference = self._references.pop(subject, None)
        if reference is None:
            return
        users = self._maps[_place(reference)].users
        del users[reference][subject]
        if not users[reference]:
            del users[reference]
        if not users:
            del self._maps[_place(reference)]

    def are_due(self, now: float) -> bool:
        """Tell whether one is to be read; `now` in engine seconds."""
        return any(kept.due_at <= now for kept in self._maps.values())

    async def refresh(self, now: float) -> None:
        """Read those that are due, and tell those who need them where something is new, a few at a time."""
        for place, kept in [each for each in self._maps.items() if each[1].due_at <= now]:
            before = {reference: _bundle(kept, reference) for reference in kept.users}
            try:
                kept.data, kept.status = await self._read(*place), None
            except ClusterError as error:
                kept.status = error.status
                kept.data = {} if error.status == 404 else kept.data  # not known is not gone
            lacks = any((bundle := _bundle(kept, each)) is None or bundle.text is None for each in kept.users)
            waits = kept.status is not None or lacks
            kept.due_at = now + (kept.pause if waits else PERIOD)
            kept.pause = min(PERIOD, kept.pause * 2) if waits else FIRST_PAUSE
            changed = [each for each in kept.users if before.get(each) != _bundle(kept, each)]
            told = [(subject, reference) for reference in changed for subject in kept.users[reference]]
            for number, (subject, reference) in enumerate(told, 1):
                if self._references.get(subject) == reference:  # who needs another one by now is told of that one
                    self._on_news(subject)
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)


def _place(reference: Reference) -> tuple[str, str]:
    return reference.namespace, reference.name


def _bundle(kept: _ConfigMap, reference: Reference) -> Bundle | None:
    if kept.data is not None and reference.key in kept.data:
        return Bundle(kept.data[reference.key])
    again = "it is looked for again within a minute"
    if kept.data is not None:
        told = f"{reference} with key {reference.key!r} does not exist: create it, or remove the reference; {again}"
        return Bundle(None, "Invalid", told)
    if kept.status == 403:
        told = f"the operator may not read it: name it in the chart's value caBundles, or remove the reference; {again}"
        return Bundle(None, "ConfigMapForbidden", f"{reference}: {told}")
    if kept.status is not None:
        return Bundle(None, "ConfigMapUnreadable", f"{reference}: it cannot be read just now; {again}")
    return None
