"""Which commands (annotations) of an object were acted upon: each value once, also before our own status comes back."""

from collections.abc import Mapping

from detour.kube.annotations import COMMANDS, another_value, command_in, commands_acted_upon
from detour.kube.kinds import RawObject
from detour.kube.reporting import Subject


class Commands:
    """Remembers, by object and annotation, the values that were acted upon; the last one goes to status."""

    def __init__(self) -> None:
        self._acted: dict[Subject, dict[str, list[str]]] = {}

    def adopt(self, subject: Subject, raw: RawObject) -> None:
        """Begin with what an object's status tells.

        Where it has no status yet, what it bears was declared with it, for another day or cluster: it counts as done.
        """
        told = commands_acted_upon(raw)
        if not raw.get("status"):
            told = {name: value for name in COMMANDS if (value := command_in(raw, name)) is not None}
        for annotation, value in told.items():
            self.acted(subject, annotation, value)

    def forget(self, subject: Subject) -> None:
        """The object is gone."""
        self._acted.pop(subject, None)

    def is_new(self, subject: Subject, annotation: str, value: str) -> bool:
        """Tell whether this value was never acted upon, as far as we know."""
        return value not in self._acted.get(subject, {}).get(annotation, ())

    def acted(self, subject: Subject, annotation: str, value: str) -> None:
        """This value was acted upon."""
        values = self._acted.setdefault(subject, {}).setdefault(annotation, [])
        if value in values:
            values.remove(value)
        values.append(value)

    def another_value(self, subject: Subject, annotation: str) -> str:
        """Return a value that would be acted upon."""
        values = self._acted.get(subject, {}).get(annotation)
        return another_value(values[-1] if values else None)

    def status(self, subject: Subject) -> Mapping[str, str]:
        """Return what an object's `status.commands` is to say."""
        return {COMMANDS[name]: values[-1] for name, values in self._acted.get(subject, {}).items()}
