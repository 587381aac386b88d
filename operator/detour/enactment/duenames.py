"""The names of a zone that are due for a look, in the order in which they are written when a quota makes them wait.

What is more urgent comes first, then what is more important, by the word of the records' owners. Among equals the
namespaces take turns: nobody waits for thousands of names of somebody else.
"""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import product

from detour.enactment.managedname import ManagedName
from detour.enactment.wishes import Urgency
from detour.model.record import Importance

Line = OrderedDict[str, OrderedDict[str, ManagedName]]
"""By namespace and hostname; who was served last stands last."""

Place = tuple[Urgency, Importance, str]


class DueNames:
    """Names with their urgency. What is looked at moves to the end of its line.

    A name may be put aside until something is known of it: it stays due, and nobody passes it by at each turn.
    """

    def __init__(self) -> None:
        self._lines: dict[tuple[Urgency, Importance], Line] = {
            each: OrderedDict() for each in product(Urgency, Importance)
        }
        self._places: dict[str, Place] = {}
        self._aside: dict[str, ManagedName] = {}

    def __len__(self) -> int:
        return len(self._places)

    @property
    def in_line_count(self) -> int:
        """How many are due and not put aside."""
        return len(self._places) - len(self._aside)

    @property
    def urgency(self) -> Urgency:
        """The urgency of the most urgent name that is not put aside."""
        return next((urgency for (urgency, _), line in self._lines.items() if line), Urgency.HOUSEKEEPING)

    def put(self, name: ManagedName, urgency: Urgency) -> None:
        """A name is due; where it was already, it takes the place of its new urgency."""
        self.drop(name)
        place = self._places[name.hostname] = (urgency, name.importance, name.namespace)
        self._lines[place[:2]].setdefault(place[2], OrderedDict())[name.hostname] = name

    def renew(self, name: ManagedName) -> None:
        """Somebody else wants a name, or with another importance: it may belong elsewhere."""
        place = self._places.get(name.hostname)
        if place is not None and place[1:] != (name.importance, name.namespace):
            self.put(name, place[0])

    def drop(self, name: ManagedName) -> None:
        """A name is not due any more."""
        place = self._places.pop(name.hostname, None)
        if place is not None and self._aside.pop(name.hostname, None) is None:
            self._leave_line(name, place)

    def _leave_line(self, name: ManagedName, place: Place) -> None:
        line = self._lines[place[:2]]
        del line[place[2]][name.hostname]
        if not line[place[2]]:
            del line[place[2]]

    def put_aside(self, name: ManagedName) -> None:
        """Give a name that is due no turn until it is taken up, or put anew."""
        if name.hostname not in self._aside:
            self._leave_line(name, self._places[name.hostname])
            self._aside[name.hostname] = name

    def take_up(self, hostname: str) -> None:
        """Give a name that was put aside its turn again."""
        if (name := self._aside.get(hostname)) is not None:
            self.put(name, self._places[hostname][0])

    def in_turn(self) -> Iterator[ManagedName]:
        """Give each name that is due now and not put aside, once. Names may be put and dropped meanwhile."""
        for line in self._lines.values():
            left = {namespace: len(names) for namespace, names in line.items()}
            while left:
                for namespace in [each for each in line if each in left]:
                    names = line.get(namespace)
                    left[namespace] -= 1
                    if left[namespace] <= 0 or not names:
                        del left[namespace]
                    if names:
                        hostname, name = next(iter(names.items()))
                        names.move_to_end(hostname)
                        line.move_to_end(namespace)
                        yield name
                left = {namespace: count for namespace, count in left.items() if namespace in line}

    def first_again(self, name: ManagedName) -> None:
        """There was no room for a name: it comes first when there is."""
        place = self._places.get(name.hostname)
        if place is not None and name.hostname not in self._aside:
            line = self._lines[place[:2]]
            line[place[2]].move_to_end(name.hostname, last=False)
            line.move_to_end(place[2], last=False)
