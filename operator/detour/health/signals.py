"""Hints from outside that a region may be in trouble: what makes one, and what it is good for.

A hint moves nothing by itself: clouds are late to say that they are in trouble, and users and metrics tell of much that
is not the region. While one stands the region's checks are made more often, and what these find weighs more.

    Standing   the source says that something is wrong there
    Quiet      it says that nothing is
    Unknown    it could not be read: that is no good news, and no bad news either

Pure; times in seconds on the engine's clock.
"""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from detour.model.signals import Incident, Incidents, Reading, Samples, Unreadable

FEED = "status-feed"
REPORTS = "user-reports"
"""The names of the signals that a region has at most one of."""

LONGEST_CLOSER_LOOK = 1800.0
"""Seconds for which a region is looked at more closely at most, and for which no signal must stand before the next."""

SUMMARY_TOLD = 120
"""Characters of what a cloud says that are passed on."""


class SignalState(enum.StrEnum):
    """What a source says of a region."""

    STANDING = "Standing"
    QUIET = "Quiet"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class SignalFinding:
    """What a source says of a region, and since when; it `is_sure` unless it only seems to mean this region.

    `look_at` is when it may say something else, though nothing new is heard.
    """

    name: str
    state: SignalState
    message: str = ""
    since: float = 0.0
    is_sure: bool = True
    look_at: float | None = None

    @property
    def stands(self) -> bool:
        return self.state is SignalState.STANDING


def stands_surely(signals: Iterable[SignalFinding]) -> bool:
    """Tell whether any of them stands that surely means this region."""
    return any(each.stands and each.is_sure for each in signals)


# -- what is read ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """What one reading says of a region: whether it speaks against it, None where nothing was learned."""

    against: bool | None
    message: str = ""
    is_sure: bool = True


def said_of_location(reading: Reading, cloud: str, location: str) -> Said:
    """Return what a cloud's status page says of one of its regions."""
    match reading:
        case Incidents(found):
            named = [each for each in found if location in each.locations]
            meant = [each for each in found if not each.locations and means(each.text, location)]
            if named:
                return Said(True, f"{cloud} reports: {_told(named)}")
            if meant:
                return Said(True, f"{cloud} seems to report of this region: {_told(meant)}", is_sure=False)
            return Said(False)
        case Unreadable(message):
            return Said(None, message)
        case _:
            return Said(None, "the status page was not understood")


def said_by_query(reading: Reading, above: float | None, below: float | None, name: str) -> Said:
    """Return what the values of a query say: whether any of them is above, or below, its bound.

    `name` stands for it in the message; the values themselves stay with the server.
    """
    match reading:
        case Samples(values):
            if above is not None and any(each > above for each in values):
                return Said(True, f"{name} is above {above:g}")
            if below is not None and any(each < below for each in values):
                return Said(True, f"{name} is below {below:g}")
            return Said(False)
        case Unreadable(message):
            return Said(None, message)
        case _:
            return Said(None, "the answer was not understood")


def _told(incidents: list[Incident]) -> str:
    first = incidents[0].summary[:SUMMARY_TOLD].strip() or "an incident"
    return first if len(incidents) == 1 else f"{first}; and {len(incidents) - 1} more"


_COMPASS = frozenset({"north", "south", "east", "west", "central"})


def means(text: str, location: str) -> bool:
    """Tell whether a text names a region of Azure's, such as westeurope: as "West Europe", or as it is.

    It is not meant where another word makes it another region: "West Europe" is not meant by "North West Europe", nor
    "East US" by "East US 2".
    """
    if location not in re.sub("[^a-z0-9]", "", text.lower()):
        return False  # nearly always, and much faster than what follows
    words = re.findall(r"[a-z]+|[0-9]+|[^\sa-z0-9]+", text.lower())
    for first in range(len(words)):
        joined = ""
        for last in range(first, min(first + 4, len(words))):
            joined += words[last]
            if joined == location:
                before = words[first - 1] if first else ""
                after = words[last + 1] if last + 1 < len(words) else ""
                if before not in _COMPASS and not after.isdigit():
                    return True
            if not location.startswith(joined):
                break
    return False


# -- how it goes on ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignalCourse:
    """What a signal has been through: since when its source speaks against the region, and what it is by that."""

    state: SignalState = SignalState.UNKNOWN
    since: float = 0.0
    against_since: float | None = None
    message: str = ""
    is_sure: bool = True


def heard(course: SignalCourse, said: Said, *, lasting: float, now: float) -> SignalCourse:
    """Return the course after its source said something at `now`; it stands once that has lasted for so long."""
    if said.against is None:
        return _turned(replace(course, against_since=None, message=said.message), SignalState.UNKNOWN, now)
    if not said.against:
        return _turned(replace(course, against_since=None, message=""), SignalState.QUIET, now)
    since = now if course.against_since is None else course.against_since
    course = replace(course, against_since=since, message=said.message, is_sure=said.is_sure)
    return after(course, lasting=lasting, now=now)


def after(course: SignalCourse, *, lasting: float, now: float) -> SignalCourse:
    """Return the course by `now`, with nothing new heard."""
    if course.against_since is None:
        return course
    stands = now >= course.against_since + lasting
    return _turned(course, SignalState.STANDING if stands else SignalState.QUIET, now)


def finding(name: str, course: SignalCourse, *, lasting: float) -> SignalFinding:
    """Return what there is to say of a signal with this course."""
    is_coming = course.against_since is not None and course.state is not SignalState.STANDING
    look_at = course.against_since + lasting if is_coming and course.against_since is not None else None
    message = course.message if course.state is not SignalState.QUIET else ""
    return SignalFinding(name, course.state, message, course.since, course.is_sure, look_at)


def _turned(course: SignalCourse, state: SignalState, now: float) -> SignalCourse:
    return course if course.state is state else replace(course, state=state, since=now)


# -- the closer look ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CloserLook:
    """Whether a region is looked at more closely, and for how many seconds it was before (`used`).

    `since` is when it began, `calm_since` since when no signal stands.
    """

    since: float | None = None
    used: float = 0.0
    calm_since: float | None = None

    @property
    def is_on(self) -> bool:
        return self.since is not None

    @property
    def ends_at(self) -> float | None:
        """When it ends at the latest."""
        return None if self.since is None else self.since + LONGEST_CLOSER_LOOK - self.used


NOT_CLOSER = CloserLook()


def looked_closer(before: CloserLook, *, stands: bool, now: float) -> CloserLook:
    """Return the closer look by `now`, while a signal `stands` or none does.

    All together it lasts no longer than LONGEST_CLOSER_LOOK, until none has stood for as long: a signal that comes and
    goes costs no more than one that stays.
    """
    used = before.used
    if before.since is not None:
        used = min(LONGEST_CLOSER_LOOK, before.used + now - before.since)
    if not stands:
        calm_since = now if before.calm_since is None else before.calm_since
        if now - calm_since >= LONGEST_CLOSER_LOOK:
            used = 0.0
        return CloserLook(None, used, calm_since)
    if before.calm_since is not None and now - before.calm_since >= LONGEST_CLOSER_LOOK:
        used = 0.0
    if used >= LONGEST_CLOSER_LOOK:
        return CloserLook(None, used, None)
    return before if before.since is not None else CloserLook(now, used, None)
