"""What may delay a change of answers, and for how long: every permission by name, each with an end.

A name that answers wrongly is excused for as long as one of these holds, and no longer. Most begin with a fault of the
schedule and end some seconds after it, by which time its after-effects must be over. What follows from how things stand
(a freeze, a suspension, a name that is another's) ends when a person or an outsider ends that.

    the provider is away, slow, throttles or loses requests    its zone, and the pause that grew meanwhile
    readings that fail or are slow                             nothing by themselves, but what has to be read first;
                                                               at Azure DNS, where the ledger is, its zone
    name servers that are away, a vantage that is blind        everything: nobody knows whom to believe
    vantages that are amiss, where the others are no majority  everything: nobody knows whom to believe
    a leader whose own checks fail                             everything: until a replica that sees has taken over
    a process that is killed, stopped or paused                everything: until one of its site has gone on from there
    an API server that is away                                 what people declare; who shall lead, where that is open
    a ledger that somebody changed                             its zone: who has it must be found out first
    a name or a marker that somebody changed                   that name: until it has been seen
    a status that was lost, a clock that was set               everything: verdicts are found out anew
    regions that were left lately                              other regions, for the window
    a freeze                                                   its zone
    a DNSZone that comes, goes or is made anew                 its zone: it is opened and claimed anew
    a zone that comes into another hand                        nothing, but hold-downs in it begin anew
"""

from collections import defaultdict
from collections.abc import Mapping

from detour.model.names import hostname_of_marker
from detour_simulation.history import (
    OUTSIDER,
    Approved,
    Befell,
    BlindChanged,
    ClockJumped,
    Event,
    ProcessChanged,
    RegionDeclared,
    StatusDamaged,
    Terms,
    ZoneChanged,
    ZoneDeclared,
)
from detour_simulation.invariants.replay import names_in
from detour_simulation.schedule import Fault

NEVER = float("-inf")
FOREVER = float("inf")

SUCCESSION = 25.0
"""Seconds until another replica has taken over: the Lease of 10 s, looks every 3 s, the claim and the reading."""

BEGUN = 8.0
"""Seconds until a process that starts has listed the declarations, claimed its zones and read them."""

LONGEST_PAUSE = 30.0
"""Seconds of a pause after errors of a provider: it is never longer than they had lasted before."""

AFTER_WEATHER = 8.0
"""Seconds for the step that was under way when the weather ended, whose answer may have been lost."""

AFTER_BLINDNESS = 8.0
"""Seconds until a vantage that sees again is believed: reference checks run every 5 s."""

HANDED_OVER = 30.0
"""Seconds within which a leader whose checks fail has made way for a replica whose checks pass."""

HANDOVER_PAUSE = 330.0
"""Seconds for which it need not happen again."""

LEDGER_SETTLED = 60.0
"""Seconds until a ledger somebody changed is seen, has stood still for 20 s where that is asked, and is claimed."""

ANOTHER_OBJECT = 30.0
"""Seconds until a zone is written for by another DNSZone: it is opened, and its ledger has to stand still."""

NEWS = 4.0
"""Seconds until a process whose watch broke has listed everything again."""

DRIFT = 1.06
"""How much longer a time may be by a clock that runs slow."""

OF_A_PROVIDER = frozenset(
    {
        Fault.SLOW,
        Fault.LOST_BEFORE,
        Fault.LOST_AFTER,
        Fault.LATE,
        Fault.THROTTLED,
        Fault.PROVIDER_AWAY,
        Fault.PROVIDER_REFUSES,
        Fault.ODD_ERRORS,
        Fault.ODD_ANSWERS,
        Fault.READS_OLD,
    }
)
OF_AN_API_SERVER = frozenset(
    {
        Fault.API_AWAY,
        Fault.API_SLOW,
        Fault.API_CUT_OFF,
        Fault.WATCHES_BREAK,
        Fault.WATCHES_DEAF,
        Fault.API_RESTORED,
        Fault.DECLARATIONS_OLD,
    }
)
OF_A_LEDGER = frozenset(
    {
        Fault.LEDGER_DELETED,
        Fault.LEDGER_GARBLED,
        Fault.LEDGER_AHEAD,
        Fault.LEDGER_BACK,
        Fault.ZONE_EMPTIED,
        Fault.ZONE_RESTORED,
    }
)
OF_VANTAGES = frozenset(
    {
        Fault.VANTAGE_LIES,
        Fault.VANTAGE_GONE,
        Fault.VANTAGE_CUT_OFF,
        Fault.VANTAGE_STOLEN,
        Fault.VANTAGE_CLOCK,
        Fault.VANTAGES_INWARD,
    }
)
HEARD_AGAIN = 20.0
"""Seconds until a vantage that is well again has been heard, has checked what it missed, and is believed."""

REGIONS_IN_PLAY = 3
"""Regions that an installation of the simulation has endpoints in: a limit of as many holds nothing."""

CANCELLED_WITHIN = 30.0
"""Seconds within which a call that is to be cancelled has come, and what it was part of has begun anew."""


class Permissions:
    """Until when something stood in the way, up to the event that is looked at. All times in seconds of the run."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._everywhere = NEVER
        self._told = NEVER
        self._zones: dict[str, float] = defaultdict(lambda: NEVER)
        self._in_trouble_since: dict[str, float] = {}  # by zone: pauses grow on from one trouble to the next
        self._names: dict[tuple[str, str], float] = defaultdict(lambda: NEVER)
        self._limited: dict[str, float] = defaultdict(lambda: NEVER)  # by zone: until when departures may be assumed
        self._all_limited = NEVER
        self._left: dict[str, dict[str, float]] = defaultdict(dict)  # by zone: regions, and when a name left each
        self._down: set[str] = set()
        self._blind: set[str] = set()
        self._unchecked: dict[str, float] = {}  # whose checks fail, and until when it may lead
        self._handed_over_at = NEVER
        self._frozen: set[tuple[str, str]] = set()
        self._counts: dict[tuple[str, str], int] = {}  # by site and zone: its DNSZones
        self._writers: dict[str, str] = {}  # by zone: who wrote it last
        self.changed_hands_at: dict[str, float] = defaultdict(lambda: NEVER)  # by zone: when another began to write it
        self._api_until = NEVER
        self._reads_until = NEVER
        self._reads_in_trouble_since = NEVER
        self._begun: set[str] = set()
        self._sizes: Mapping[str, int] = _sizes(terms)
        self._is_alone = len(terms.sites) == 1

    def take(self, event: Event) -> None:
        """Take note of what may stand in somebody's way from now on."""
        match event:
            case Befell():
                self._befall(event)
            case ProcessChanged():
                self._change(event)
            case BlindChanged(at=now):
                self._blindfold(event)
                self._hinder(now + AFTER_BLINDNESS)
            case StatusDamaged(at=now) | ClockJumped(at=now):
                self._hinder(max(now, self._reads_until) + SUCCESSION)
                self._limit_all(now)
            case ZoneDeclared():
                self._declare_zone(event)
            case RegionDeclared(at=now):
                self._hinder(now)
            case Approved(zone=zone, at=now):
                self._zones[zone] = max(self._zones[zone], now + NEWS)
            case ZoneChanged():
                self._note_write(event)
            case _:
                pass

    def _note_write(self, event: ZoneChanged) -> None:
        zone, now = event.zone, event.at
        if event.by != OUTSIDER:
            if self._writers.setdefault(zone, event.by) != event.by:
                self.changed_hands_at[zone] = now
            self._writers[zone] = event.by
            return
        self._limited[zone] = max(self._limited[zone], now + self._window)
        seen_by = max(now, self._reads_until) + self._terms.noticed_within + AFTER_WEATHER
        if self._reads_until > now:
            self._zones[zone] = max(self._zones[zone], self._reads_until + AFTER_WEATHER)
        for hostname in _touched(event):
            self._names[zone, hostname] = max(self._names[zone, hostname], seen_by)

    def _declare_zone(self, event: ZoneDeclared) -> None:
        place = (event.site, event.zone)
        (self._frozen.add if event.frozen else self._frozen.discard)(place)
        is_new = event.count is not None and self._counts.get(place, event.count) != event.count
        self._zones[event.zone] = max(self._zones[event.zone], event.at + (ANOTHER_OBJECT if is_new else NEWS))
        if event.count is not None:
            self._counts[place] = event.count

    def _blindfold(self, event: BlindChanged) -> None:
        if not event.sees_dns:
            (self._blind.add if event.blind else self._blind.discard)(event.controller)
        elif event.blind:
            has_rest = event.at < self._handed_over_at + HANDOVER_PAUSE
            self._unchecked[event.controller] = FOREVER if has_rest else event.at + HANDED_OVER
            self._handed_over_at = event.at
        else:
            del self._unchecked[event.controller]

    def leaves(self, zone: str, region: str, at: float) -> None:
        """Note that a name has left a region of a zone by a write of ours."""
        self._left[zone][region] = at

    def since(self, zone: str, hostname: str, *, leaving: frozenset[str], told: bool) -> float:
        """Return until when something stood in the way of a change of this name; FOREVER while it still does.

        `leaving` are the regions that it should leave; `told` says that it is a person's word that has to be heard.
        """
        if self._blind or self._all_unchecked() or any(each[1] == zone for each in self._frozen) or self._nobody_runs():
            return FOREVER
        found = max(self._everywhere, self._zones[zone], self._names[zone, hostname], *self._unchecked.values())
        if told:
            found = max(found, self._told, self._api_until + NEWS)
        if leaving:
            found = max(found, self._limit(zone, leaving))
        return found

    def _limit(self, zone: str, leaving: frozenset[str]) -> float:
        """Return until when the limit of regions may hold a name back that should leave these."""
        found = (item for each in self._left.values() for item in each.items())  # of all zones
        others = [at for region, at in found if region not in leaving]
        most = self._terms.regions_per_window
        if most >= REGIONS_IN_PLAY:
            return NEVER
        if len(leaving) > most:
            return FOREVER  # they leave one after the other, a window apart
        departed = max((at + self._window for at in others), default=NEVER)
        return max(departed, *self._limited.values(), self._all_limited)

    @property
    def _window(self) -> float:
        return self._terms.window * DRIFT + self._terms.detection

    def _befall(self, event: Befell) -> None:
        now, until = event.at, event.until
        reads = event.fault in (Fault.READS_FAIL, Fault.READS_SLOW)
        if event.fault in OF_A_PROVIDER or (reads and event.where in self._terms.one_by_one):
            scopes = list(self._zones) if event.fault is Fault.THROTTLED else []  # which concerns the whole account
            for zone in (*scopes, event.where):
                if self._zones[zone] < now:
                    self._in_trouble_since[zone] = now
                pause = min(LONGEST_PAUSE, until - self._in_trouble_since.get(zone, now))
                self._zones[zone] = max(self._zones[zone], max(until, self._reads_until) + pause + AFTER_WEATHER)
        elif event.fault in OF_AN_API_SERVER:
            self._api_until = max(self._api_until, until)
            if self._everywhere > now or max(self._sizes.values(), default=1) > 1 or len(self._sizes) > 1:
                self._hinder(until + SUCCESSION)
        elif event.fault in OF_A_LEDGER:
            settled = max(now, self._reads_until) + LEDGER_SETTLED
            self._zones[event.where] = max(self._zones[event.where], settled)
        match event.fault:
            case Fault.READS_FAIL | Fault.READS_SLOW:
                self._delay_readings(now, until)
            case Fault.SERVERS_AWAY | Fault.SITE_LOST:
                self._hinder(until + AFTER_BLINDNESS + LONGEST_PAUSE * (event.fault is Fault.SITE_LOST))
            case fault if fault in OF_VANTAGES and self._terms.may_lack_votes:
                self._hinder(until + HEARD_AGAIN)
            case Fault.LEASE_LOST:
                self._hinder(max(now, self._api_until) + SUCCESSION)
            case Fault.CANCEL_BEFORE | Fault.CANCEL_AFTER:
                self._hinder(now + CANCELLED_WITHIN)
            case _:
                pass

    def _delay_readings(self, now: float, until: float) -> None:
        """What has to be read before anything is written takes as long as readings fail; all else does not."""
        if self._reads_until < now:
            self._reads_in_trouble_since = now
        pause = min(LONGEST_PAUSE, until - self._reads_in_trouble_since)
        self._reads_until = max(self._reads_until, until + pause)
        if self._everywhere > now:
            self._hinder(self._reads_until + BEGUN)
        for (zone, _), at in self._names.items():
            if at > now:  # whoever meets it unread is refused, and must settle that by reading
                self._zones[zone] = max(self._zones[zone], self._reads_until + AFTER_WEATHER)
        for zone, at in self._zones.items():
            if at > now:
                self._zones[zone] = max(at, self._reads_until + AFTER_WEATHER)

    def _change(self, event: ProcessChanged) -> None:
        """A process goes, or comes: whoever is alone goes on at once, else it must be found out who leads."""
        is_up = event.state in ("started", "resumed")
        (self._down.discard if is_up else self._down.add)(event.controller)
        is_first = event.state == "started" and event.controller not in self._begun
        self._begun.add(event.controller)
        takes = BEGUN if self._is_alone or is_first else SUCCESSION
        self._hinder(max(event.at, self._api_until, self._reads_until) + takes)
        if not is_first:
            self._limit_all(event.at)

    def _hinder(self, until: float) -> None:
        self._everywhere = max(self._everywhere, until)

    def _limit_all(self, now: float) -> None:
        """Whoever starts, or finds a status lost, counts what is missing as left."""
        self._all_limited = max(self._all_limited, now + self._window)

    def _all_unchecked(self) -> bool:
        """Tell whether no process of a site that runs has checks that pass."""
        sites = {self._terms.sites[each] for each in self._unchecked}
        seeing = set(self._terms.sites) - set(self._unchecked) - self._down
        return any(all(self._terms.sites[each] != site for each in seeing) for site in sites)

    def _nobody_runs(self) -> bool:
        """Tell whether a site is without a process that runs."""
        down: dict[str, int] = defaultdict(int)
        for controller in self._down:
            down[self._terms.sites[controller]] += 1
        return any(count >= self._sizes[site] for site, count in down.items())


def _sizes(terms: Terms) -> dict[str, int]:
    sizes: dict[str, int] = defaultdict(int)
    for site in terms.sites.values():
        sizes[site] += 1
    return sizes


def _touched(event: ZoneChanged) -> list[str]:
    markers = [hostname for each in event.changes if (hostname := hostname_of_marker(each.key.name))]
    return [*names_in(event), *markers]
