"""Many objects that wait to be taken in: packed, as all of them at once would take more memory than they leave behind.

What a process once held at its start it keeps: the memory of objects that are gone is in pieces.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from detour.model.objects import RawObject
from detour.model.packing import packed, unpacked

AT_ONCE = 100
"""Objects that are unpacked together."""


class PackedObjects:
    """Objects in the order in which they were added. Whoever takes them in takes them out."""

    def __init__(self, objects: Iterable[RawObject] = ()) -> None:
        self._pages: deque[tuple[int, bytes]] = deque()
        self.add(objects)

    def add(self, objects: Iterable[RawObject]) -> None:
        """Add objects."""
        rest = iter(objects)
        while page := list(islice(rest, AT_ONCE)):
            self._pages.append((len(page), packed(page)))

    def __len__(self) -> int:
        return sum(count for count, _ in self._pages)

    def __iter__(self) -> Iterator[RawObject]:
        for _, page in self._pages:
            yield from unpacked(page)

    def take(self) -> Iterator[RawObject]:
        """Give all objects, which are not here any more then."""
        while self._pages:
            yield from unpacked(self._pages.popleft()[1])
