"""What is known of one object's status, and was told of the object: all of it in one place."""

import asyncio
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from detour.enactment.wishes import Explanation
from detour.kube.status.conditions import Status
from detour.model.objects import RawObject, Subject

NO_STATUS = zlib.compress(b"{}")

QUICKLY = 1
"""The level at which statuses are compressed: half of what the best saves, for a tenth of its time."""

States = dict[str, tuple[bool | None, str]]
"""By type of condition, whether it holds (None: unknown) and its reason."""


@dataclass(slots=True, eq=False)
class Reported:
    """One object. Times in seconds of the clock that its user has.

    `status` is the one last written, or found, with resourceVersion `version`, None where none is known. It is kept as
    compressed JSON, which takes a tenth of what it is read into. `known_at` is since when we know what the object
    bears, `is_found` says that we do, `is_ours` that this process wrote it. `is_adopted` says that its status was gone
    on from; `followed` is what it bore last while another replica led. `told` is what events said of its conditions,
    `ready` its condition Ready as it counts for the metrics; `quiet_until` ends its quiet time, and `look_again` is
    when its status is made anew though nothing happens. `incident` is the last one of this term, `acted` are the values
    of commands that were acted upon, by annotation, and `complaint` is what is wrong with its annotations.
    """

    subject: Subject
    _packed: bytes = NO_STATUS
    version: int | None = None
    known_at: float | None = None
    is_found: bool = False
    is_ours: bool = False
    is_in_flight: bool = False
    is_adopted: bool = False
    followed: RawObject | None = None
    told: States | None = None
    ready: str | None = None
    quiet_until: float | None = None
    look_again: asyncio.TimerHandle | None = None
    incident: Status | None = None
    acted: dict[str, list[str]] = field(default_factory=dict)
    complaint: Explanation | None = None

    @property
    def status(self) -> Mapping[str, Any]:
        """The status last written, or found."""
        status: Status = json.loads(zlib.decompress(self._packed))
        return status

    @status.setter
    def status(self, status: Mapping[str, Any]) -> None:
        self._packed = zlib.compress(json.dumps(status).encode(), QUICKLY)

    def is_gone(self) -> None:
        """There is no such object (any more): nothing is known of what it bears."""
        self.status, self.version, self.known_at, self.is_found, self.is_ours = {}, None, None, False, False
