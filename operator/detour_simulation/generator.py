"""Drawing schedules: every profile is a weighting of faults, and a taste in installations.

`general` has everything in it. The others are narrow: they bring about in a few schedules what the general one meets
in hundreds, which is how the mutants are found quickly.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from detour_simulation.hostnames import addresses_of, hostname_of
from detour_simulation.regions import REGIONS
from detour_simulation.schedule import (
    ControllerSetting,
    Fault,
    Looks,
    RecordSetting,
    Schedule,
    Setting,
    SiteSetting,
    Step,
    VantageSetting,
    ZoneSetting,
)

DOMAIN = "example.org"
OWNER = "production"
NAMESPACE = "shop"
PROVIDERS = ("route53", "clouddns", "rfc2136", "azuredns")
ATOMIC = ("route53", "clouddns", "rfc2136")
FIRST_FAULT = 6.0
GONE_BY, LIES_FROM = 14.0, 36.0
"""Seconds into the run: by the first vantages are gone that go, from the second on another one lies."""

OFFSET = 5.0
"""Seconds by which the wall clock of a replica may be off; the fault that sets one does so by up to an hour."""

CHECK: Mapping[str, Any] = {
    "tcp": {"port": 443}, "interval": "6s", "recheckInterval": "1s", "timeout": "1s", "fall": 2, "rise": 2,
}  # fmt: skip

SOON: Mapping[str, Any] = {"mode": "Automatic", "holdDown": "10s", "maxChangesPerHour": 0}

PROCESS = {
    Fault.CRASH: 3, Fault.CRASH_BEFORE: 2, Fault.CRASH_AFTER: 3, Fault.CRASH_BEFORE_WRITE: 1,
    Fault.CRASH_AFTER_WRITE: 3, Fault.CANCEL_BEFORE: 1, Fault.CANCEL_AFTER: 1, Fault.PAUSE: 4, Fault.STOP: 2,
    Fault.WALL_CLOCK_JUMPS: 1,
}  # fmt: skip
NETWORK = {
    Fault.SLOW: 3, Fault.LOST_BEFORE: 2, Fault.LOST_AFTER: 4, Fault.LATE: 4, Fault.THROTTLED: 2,
    Fault.PROVIDER_AWAY: 2, Fault.PROVIDER_REFUSES: 1, Fault.SERVERS_LAG: 2, Fault.SERVERS_AWAY: 1,
}  # fmt: skip
CLUSTER = {
    Fault.API_AWAY: 3, Fault.API_SLOW: 1, Fault.API_CUT_OFF: 2, Fault.WATCHES_BREAK: 1, Fault.WATCHES_DEAF: 1,
    Fault.BLIND: 2, Fault.STATUS_LOST: 2, Fault.STATUS_RESTORED: 2, Fault.RECORDS_RECREATED: 1, Fault.API_RESTORED: 1,
    Fault.LEASE_LOST: 1,
}  # fmt: skip
OUTSIDERS = {
    Fault.NAME_DELETED: 2, Fault.VALUES_REPLACED: 2, Fault.VALUES_ADDED: 1, Fault.TTL_CHANGED: 1,
    Fault.TYPE_REPLACED: 1, Fault.MARKER_DELETED: 1, Fault.MARKER_GARBLED: 1, Fault.MARKER_STOLEN: 1,
    Fault.LEDGER_DELETED: 2, Fault.LEDGER_GARBLED: 1, Fault.LEDGER_AHEAD: 1, Fault.LEDGER_BACK: 1,
    Fault.ZONE_EMPTIED: 1, Fault.ZONE_RESTORED: 1, Fault.FOREIGN_NAME: 2,
}  # fmt: skip
PEOPLE = {
    Fault.DRAINED: 2, Fault.REGION_DRAINED: 1, Fault.ENDPOINT_ADDED: 1, Fault.ENDPOINT_REMOVED: 1,
    Fault.TTL_DECLARED: 1, Fault.SUSPENDED: 1, Fault.RECORD_DELETED: 1, Fault.RECORD_DROPPED: 1,
    Fault.RECORD_CREATED: 2,
}  # fmt: skip
OF_DNS_ZONES = frozenset(
    {Fault.ZONE_RENAMED, Fault.ZONE_TWINNED, Fault.ZONE_DELETED, Fault.ZONE_SETTINGS, Fault.PARENT_LEAVES}
)
OF_PROVIDERS = frozenset(
    {
        Fault.READS_FAIL, Fault.READS_SLOW, Fault.ODD_ERRORS, Fault.ODD_ANSWERS, Fault.READS_OLD, Fault.KEY_ROTATED,
        Fault.KEY_REVOKED,
    }
)  # fmt: skip
OF_RECORDS = frozenset({Fault.PINNED, Fault.OVERRIDDEN, Fault.CLAIMED, Fault.ZONES_DECLARED, Fault.ZONES_MISTYPED})
OF_VANTAGES = frozenset(
    {
        Fault.VANTAGE_LIES, Fault.VANTAGE_GONE, Fault.VANTAGE_CUT_OFF, Fault.VANTAGE_STOLEN, Fault.VANTAGE_CLOCK,
        Fault.VANTAGES_INWARD,
    }
)  # fmt: skip
OF_ENDPOINTS = frozenset({Fault.ENDPOINT_FAILS, Fault.ENDPOINT_RECOVERS, Fault.ADDRESS_FAILS})
ENDPOINTS = {Fault.ENDPOINT_FAILS: 8, Fault.REGION_FAILS: 4, Fault.EVERYTHING_FAILS: 1}
SITES = {Fault.SITE_LOST: 6}
OF_ZONES = frozenset(
    {
        Fault.LEDGER_DELETED, Fault.LEDGER_GARBLED, Fault.LEDGER_AHEAD, Fault.LEDGER_BACK, Fault.ZONE_EMPTIED,
        Fault.ZONE_RESTORED, Fault.FOREIGN_NAME, Fault.FROZEN,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A taste: how often each fault, how many steps, which providers, how many controllers and sites."""

    weights: Mapping[Fault, float]
    steps: tuple[int, int] = (3, 10)
    providers: Sequence[str] = PROVIDERS
    zones: tuple[int, int] = (1, 2)
    records: tuple[int, int] = (1, 3)
    controllers: Sequence[int] = (1, 1, 2, 2, 3)
    sites: Sequence[int] = (1, 1, 1, 2)
    length: tuple[float, float] = (25.0, 60.0)
    spec: Mapping[str, Any] = field(default_factory=dict)
    dual_stack: float = 0.3
    addresses: int = 1  # how many of a family an endpoint may have
    hostnames: float = 0.0  # the share of endpoints that are known by a hostname
    canonical: float = 0.0  # the share of records that publish a CNAME
    wildcards: float = 0.0  # the share of records whose name is a wildcard
    late_by: tuple[int, int] | None = None  # seconds by which requests land late at most, where not as usual
    off: tuple[float, float] | None = None  # seconds for which everybody is off at one time
    has_parent: bool = False  # resolvers can tell where the world is sent
    tied: float | None = None  # the share of the records in two zones, where not as usual
    sharding: bool = False  # the controllers of a site divide the zones
    vantages: int = 0  # beside the operator's own
    inward: bool = False  # the vantages are all in one region that has endpoints
    one_is_odd: bool = True  # anything amiss with vantages befalls one and the same of them, else lies alone do
    are_clones: bool = False  # the second site is a copy of the first, by its name too
    late: float = 0.2  # the share of the records after the first that are declared only in the course of the run
    regions_evacuated: Sequence[int] = (1, 1, 1, 2)
    panic_threshold: Sequence[int] = (1, 1, 50)
    withdrawal: Sequence[int] = (100,)
    endpoints: tuple[int, int] = (2, 3)
    has_canaries: bool = False
    lasting: Mapping[Fault, tuple[float, float]] = field(default_factory=dict)  # seconds, where not as usual
    looks: Looks = Looks()  # noqa: RUF009 - it is frozen


EVERYTHING: Mapping[Fault, float] = {**PROCESS, **NETWORK, **CLUSTER, **OUTSIDERS, **PEOPLE, **ENDPOINTS}

PROFILES: Mapping[str, Profile] = {
    "general": Profile(weights=EVERYTHING, withdrawal=(25, 100)),
    "sites": Profile(
        weights={**{fault: weight / 4 for fault, weight in EVERYTHING.items()}, **ENDPOINTS, **SITES},
        sites=(2,),
        controllers=(1, 1, 2),
        zones=(1, 1),
        length=(40.0, 90.0),
    ),
    "two writers": Profile(
        weights={
            Fault.PAUSE: 6, Fault.LEASE_LOST: 3, Fault.API_CUT_OFF: 4, Fault.LATE: 5, Fault.SLOW: 3,
            Fault.CRASH_AFTER_WRITE: 3, Fault.CRASH: 2, Fault.ENDPOINT_FAILS: 6, Fault.REGION_FAILS: 3,
            Fault.TTL_DECLARED: 3,
        },
        providers=("route53", "clouddns", "rfc2136"), zones=(1, 1), controllers=(2, 3), sites=(1,), steps=(6, 12),
        regions_evacuated=(3,),
    ),
    "lost answers": Profile(
        weights={
            Fault.LATE: 6, Fault.LOST_AFTER: 3, Fault.SLOW: 2, Fault.ENDPOINT_FAILS: 3, Fault.TTL_DECLARED: 8,
            Fault.DRAINED: 16,
        },
        providers=("route53", "clouddns", "rfc2136"), zones=(1, 1), controllers=(1,), sites=(1,), steps=(12, 24),
        records=(2, 3), regions_evacuated=(3,),
        panic_threshold=(100,), lasting={Fault.DRAINED: (0.2, 4.0), Fault.ENDPOINT_FAILS: (0.2, 4.0)},
    ),
    "races": Profile(
        weights={
            Fault.SLOW: 8, Fault.LATE: 3, Fault.ENDPOINT_FAILS: 6, Fault.DRAINED: 4, Fault.VALUES_REPLACED: 8,
            Fault.NAME_DELETED: 4, Fault.VALUES_ADDED: 4, Fault.TTL_DECLARED: 4,
        },
        providers=("route53", "clouddns", "rfc2136"), zones=(1, 1), controllers=(1,), sites=(1,), steps=(12, 24),
        regions_evacuated=(3,),
        panic_threshold=(100,), lasting={Fault.DRAINED: (0.2, 6.0), Fault.ENDPOINT_FAILS: (0.2, 6.0)},
    ),
    "dark": Profile(
        weights={Fault.EVERYTHING_FAILS: 5, Fault.STATUS_RESTORED: 4, Fault.STOP: 5, Fault.ENDPOINT_FAILS: 6},
        lasting={Fault.EVERYTHING_FAILS: (10.0, 40.0), Fault.ENDPOINT_FAILS: (10.0, 40.0)},
        controllers=(1,), sites=(1,), zones=(1, 1), steps=(8, 14), records=(1, 2), regions_evacuated=(3,),
        panic_threshold=(100,), length=(70.0, 110.0),
        spec={"whenAllUnhealthy": "KeepLast", "failback": {"mode": "Manual"}, "strategy": "Priority"},
    ),
    "azure": Profile(
        weights={
            Fault.PAUSE: 4, Fault.LEASE_LOST: 2, Fault.API_CUT_OFF: 3, Fault.LATE: 6, Fault.SLOW: 4,
            Fault.CRASH_AFTER_WRITE: 2, Fault.ENDPOINT_FAILS: 8, Fault.DRAINED: 3,
        },
        providers=("azuredns",), zones=(1, 1), controllers=(1, 2, 2), sites=(1,), steps=(6, 12), records=(1, 2),
        dual_stack=1.0, regions_evacuated=(3,),
    ),
    "late at azure": Profile(
        weights={
            Fault.LATE: 8, Fault.CRASH_AFTER_WRITE: 8, Fault.PAUSE: 3, Fault.ENDPOINT_FAILS: 6, Fault.DRAINED: 8,
            Fault.RECORD_CREATED: 3,
        },
        providers=("azuredns",), zones=(1, 1), controllers=(2,), sites=(1,), steps=(10, 18), records=(2, 3),
        dual_stack=1.0, regions_evacuated=(3,), panic_threshold=(100,), length=(60.0, 90.0), late_by=(20, 45),
        lasting={Fault.LATE: (10.0, 30.0), Fault.CRASH_AFTER_WRITE: (15.0, 30.0), Fault.PAUSE: (15.0, 30.0)},
    ),
    "outsiders": Profile(
        weights={**OUTSIDERS, Fault.CRASH: 3, Fault.RECORD_CREATED: 4, Fault.FOREIGN_NAME: 4},
        controllers=(1,), sites=(1,), records=(2, 3),
    ),
    "amnesia": Profile(
        weights={Fault.STATUS_LOST: 10, Fault.STOP: 6}, controllers=(1,), sites=(1,), steps=(6, 12),
        panic_threshold=(100,), spec={"whenAllUnhealthy": "KeepLast", "strategy": "Priority"},
    ),
    "restarts": Profile(
        weights={Fault.CRASH: 3, Fault.STOP: 3, Fault.ENDPOINT_FAILS: 6, Fault.EVERYTHING_FAILS: 1},
        controllers=(1,), sites=(1,), steps=(4, 9), records=(1, 2), regions_evacuated=(3,), panic_threshold=(100,),
        length=(60.0, 100.0), lasting={Fault.ENDPOINT_FAILS: (4.0, 12.0)}, dual_stack=0.0,
        spec={"failback": {"mode": "Manual"}, "strategy": "Priority"},
    ),
    "blind": Profile(
        weights={Fault.BLIND: 6, Fault.ENDPOINT_FAILS: 1, Fault.CRASH: 1},
        controllers=(1,), sites=(1,), zones=(1, 1), steps=(1, 4), panic_threshold=(1,), regions_evacuated=(3,),
    ),
    "regions": Profile(
        weights={Fault.REGION_FAILS: 6, Fault.ENDPOINT_FAILS: 2, Fault.CRASH: 1},
        controllers=(1,), sites=(1,), steps=(2, 6), panic_threshold=(100,), regions_evacuated=(1,), zones=(1, 1),
        records=(2, 3),
    ),
    "frozen": Profile(
        weights={
            Fault.FROZEN: 8, Fault.ENDPOINT_FAILS: 8, Fault.DRAINED: 3, Fault.TTL_DECLARED: 2, Fault.RECORD_DELETED: 2,
            Fault.RECORD_CREATED: 2, Fault.THROTTLED: 3, Fault.PROVIDER_AWAY: 3, Fault.SLOW: 2, Fault.LOST_AFTER: 2,
            Fault.LATE: 2, Fault.CRASH: 2, Fault.CRASH_AFTER_WRITE: 2, Fault.PAUSE: 2, Fault.VALUES_REPLACED: 2,
            Fault.NAME_DELETED: 2,
        },
        sites=(1,), steps=(8, 16), length=(40.0, 80.0), regions_evacuated=(3,), panic_threshold=(100,),
        spec={"deletionPolicy": "Delete"}, lasting={Fault.FROZEN: (10.0, 30.0), Fault.ENDPOINT_FAILS: (6.0, 30.0)},
    ),
    "frozen regions": Profile(
        weights={
            Fault.FROZEN: 8, Fault.ENDPOINT_FAILS: 8, Fault.REGION_FAILS: 3, Fault.DRAINED: 2, Fault.TTL_DECLARED: 1,
            Fault.THROTTLED: 3, Fault.PROVIDER_AWAY: 3, Fault.SLOW: 2, Fault.LOST_AFTER: 1, Fault.CRASH: 1,
            Fault.VALUES_REPLACED: 1,
        },
        sites=(1,), steps=(6, 12), records=(2, 3), length=(60.0, 90.0), regions_evacuated=(1,), panic_threshold=(100,),
        late=0.0, controllers=(1, 1, 2), dual_stack=0.0,
        lasting={Fault.FROZEN: (8.0, 25.0), Fault.ENDPOINT_FAILS: (10.0, 40.0), Fault.REGION_FAILS: (10.0, 40.0)},
    ),
    "one of two frozen": Profile(
        weights={Fault.FROZEN: 6, Fault.ENDPOINT_FAILS: 10},
        sites=(1,), steps=(6, 10), records=(2, 3), zones=(2, 2), length=(60.0, 80.0), regions_evacuated=(1,),
        panic_threshold=(100,), late=0.0, controllers=(1,), dual_stack=0.0,
        lasting={Fault.FROZEN: (20.0, 40.0), Fault.ENDPOINT_FAILS: (5.0, 14.0)},
    ),
    "apart": Profile(
        weights={Fault.FROZEN: 4, Fault.ENDPOINT_FAILS: 12},
        sites=(1,), steps=(8, 14), records=(1, 2), zones=(2, 2), length=(70.0, 90.0), regions_evacuated=(3,),
        panic_threshold=(100,), late=0.0, controllers=(1,), dual_stack=0.0, spec={"whenAllUnhealthy": "KeepLast"},
        lasting={Fault.FROZEN: (25.0, 50.0), Fault.ENDPOINT_FAILS: (10.0, 40.0)},
    ),
    "behaviours": Profile(
        weights={
            Fault.ENDPOINT_FAILS: 9, Fault.REGION_FAILS: 3, Fault.EVERYTHING_FAILS: 1, Fault.DRAINED: 4,
            Fault.REGION_DRAINED: 2, Fault.SUSPENDED: 3, Fault.TTL_DECLARED: 1, Fault.ENDPOINT_ADDED: 2,
            Fault.ENDPOINT_REMOVED: 1, Fault.SLOW: 1, Fault.VALUES_REPLACED: 1,
        },
        steps=(4, 9), records=(1, 2), zones=(1, 2), controllers=(1, 1, 2), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(1, 100), length=(70.0, 110.0), late=0.0,
        lasting={
            Fault.ENDPOINT_FAILS: (14.0, 40.0), Fault.REGION_FAILS: (14.0, 40.0), Fault.EVERYTHING_FAILS: (14.0, 30.0),
            Fault.DRAINED: (10.0, 30.0), Fault.REGION_DRAINED: (10.0, 30.0), Fault.SUSPENDED: (25.0, 50.0),
            Fault.SLOW: (2.0, 6.0),
        },
    ),
    "blips": Profile(
        weights={Fault.ENDPOINT_FAILS: 8, Fault.REGION_FAILS: 2, Fault.ENDPOINT_RECOVERS: 8},
        steps=(14, 24), records=(1, 2), zones=(1, 1), controllers=(1,), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(60.0, 90.0), late=0.0,
        lasting={
            Fault.ENDPOINT_FAILS: (0.3, 2.0), Fault.REGION_FAILS: (20.0, 40.0), Fault.ENDPOINT_RECOVERS: (0.3, 2.0),
        },
        spec={
            "healthCheck": {**CHECK, "fall": 3, "rise": 3},
            "failback": {"mode": "Automatic", "holdDown": "0s", "maxChangesPerHour": 0},
        },
    ),
    "returns": Profile(
        weights={Fault.ENDPOINT_FAILS: 8, Fault.REGION_FAILS: 2},
        steps=(3, 6), records=(1, 2), zones=(1, 1), controllers=(1,), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(80.0, 110.0), late=0.0, dual_stack=0.0,
        lasting={Fault.ENDPOINT_FAILS: (9.0, 28.0), Fault.REGION_FAILS: (9.0, 28.0)},
        spec={"healthCheck": {**CHECK, "fall": 4, "rise": 3}},
    ),
    "regions of two zones": Profile(
        weights={Fault.REGION_FAILS: 3, Fault.ENDPOINT_FAILS: 6},
        controllers=(1,), sites=(1,), steps=(3, 7), panic_threshold=(100,), regions_evacuated=(1,), zones=(2, 2),
        records=(2, 3), late=0.0, lasting={Fault.REGION_FAILS: (12.0, 40.0), Fault.ENDPOINT_FAILS: (12.0, 40.0)},
    ),
    "staggered": Profile(
        weights={Fault.ENDPOINT_FAILS: 8, Fault.CRASH: 1},
        controllers=(1,), sites=(1,), zones=(1, 1), records=(1, 2), steps=(14, 20), panic_threshold=(100,), late=0.0,
        regions_evacuated=(3,), length=(60.0, 80.0), lasting={Fault.ENDPOINT_FAILS: (8.0, 20.0)},
        spec={"whenAllUnhealthy": "KeepLast"},
    ),
    "uplink": Profile(
        weights={Fault.BLIND: 6, Fault.ENDPOINT_FAILS: 2, Fault.CRASH: 1},
        controllers=(1,), sites=(1,), zones=(1, 1), steps=(2, 5), panic_threshold=(100,), regions_evacuated=(3,),
        length=(40.0, 70.0), lasting={Fault.BLIND: (4.0, 30.0)},
    ),
    "reads": Profile(
        weights={
            Fault.READS_FAIL: 4, Fault.READS_SLOW: 4, Fault.ENDPOINT_FAILS: 8, Fault.VALUES_REPLACED: 4,
            Fault.DRAINED: 2, Fault.FOREIGN_NAME: 1,
        },
        steps=(6, 12), records=(2, 3), zones=(1, 1), controllers=(1,), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(60.0, 90.0), late=0.0,
        lasting={
            Fault.READS_FAIL: (20.0, 50.0), Fault.READS_SLOW: (20.0, 50.0), Fault.ENDPOINT_FAILS: (16.0, 40.0),
        },
    ),
    "oddities": Profile(
        weights={Fault.ODD_ERRORS: 4, Fault.ODD_ANSWERS: 4, Fault.ENDPOINT_FAILS: 8, Fault.DRAINED: 2,
            Fault.VALUES_REPLACED: 2, Fault.TTL_DECLARED: 3, Fault.CRASH: 1},
        steps=(6, 12), records=(1, 3), zones=(1, 2), controllers=(1, 1, 2), sites=(1,), regions_evacuated=(3,),
        providers=ATOMIC, panic_threshold=(100,), length=(50.0, 80.0),
        lasting={Fault.ODD_ERRORS: (2.0, 20.0), Fault.ODD_ANSWERS: (2.0, 20.0), Fault.ENDPOINT_FAILS: (8.0, 30.0)},
    ),
    "families": Profile(
        weights={Fault.FAMILY_DELETED: 10, Fault.ENDPOINT_FAILS: 8, Fault.DRAINED: 6, Fault.SLOW: 6},
        steps=(14, 24), records=(1, 2), zones=(1, 1), controllers=(1,), sites=(1,), regions_evacuated=(3,),
        providers=ATOMIC, panic_threshold=(100,), length=(50.0, 80.0), late=0.0, dual_stack=1.0,
        lasting={Fault.ENDPOINT_FAILS: (4.0, 12.0), Fault.DRAINED: (1.0, 6.0), Fault.SLOW: (10.0, 20.0)},
    ),
    "pins": Profile(
        weights={Fault.PINNED: 6, Fault.ENDPOINT_FAILS: 8, Fault.DRAINED: 2, Fault.CRASH: 1, Fault.VALUES_REPLACED: 1},
        steps=(5, 10), records=(1, 2), zones=(1, 2), controllers=(1, 1, 2), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(70.0, 100.0), late=0.0,
        lasting={Fault.ENDPOINT_FAILS: (9.0, 25.0), Fault.PINNED: (15.0, 40.0), Fault.CRASH: (0.5, 3.0)},
    ),
    "overrides": Profile(
        weights={
            Fault.OVERRIDDEN: 8, Fault.ENDPOINT_FAILS: 6, Fault.EVERYTHING_FAILS: 3, Fault.CRASH: 1, Fault.DRAINED: 1,
            Fault.TTL_DECLARED: 1,
        },
        steps=(6, 12), records=(1, 3), zones=(1, 2), controllers=(1, 1, 2), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(80.0, 110.0), late=0.0,
        lasting={
            Fault.ENDPOINT_FAILS: (12.0, 30.0), Fault.EVERYTHING_FAILS: (20.0, 40.0), Fault.OVERRIDDEN: (20.0, 45.0),
            Fault.CRASH: (0.5, 3.0),
        },
    ),
    "hostnames": Profile(
        weights={Fault.HOSTNAME_MOVES: 8, Fault.ENDPOINT_FAILS: 4, Fault.DRAINED: 2, Fault.CRASH: 1},
        steps=(4, 8), records=(1, 2), zones=(1, 1), controllers=(1,), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(70.0, 100.0), late=0.0, dual_stack=0.0, hostnames=0.6, wildcards=0.2,
        lasting={Fault.ENDPOINT_FAILS: (16.0, 40.0), Fault.CRASH: (0.5, 3.0)}, spec={"whenAllUnhealthy": "KeepLast"},
    ),
    "canonical names": Profile(
        weights={Fault.ENDPOINT_FAILS: 8, Fault.DRAINED: 3, Fault.CRASH: 1, Fault.SUSPENDED: 1},
        steps=(4, 8), records=(1, 2), zones=(1, 2), controllers=(1,), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(70.0, 100.0), late=0.0, dual_stack=0.0, canonical=0.8, wildcards=0.4,
        lasting={Fault.ENDPOINT_FAILS: (16.0, 40.0), Fault.CRASH: (0.5, 3.0)}, spec={"whenAllUnhealthy": "KeepLast"},
    ),
    "flapping": Profile(
        weights={Fault.ENDPOINT_FAILS: 12, Fault.REGION_FAILS: 1, Fault.EVERYTHING_FAILS: 1, Fault.STOP: 1},
        steps=(12, 18), records=(1, 2), zones=(1, 1), controllers=(1,), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(90.0, 120.0), late=0.0, dual_stack=0.0,
        lasting={Fault.ENDPOINT_FAILS: (6.0, 10.0), Fault.REGION_FAILS: (8.0, 14.0), Fault.STOP: (0.5, 3.0)},
        spec={
            "healthCheck": {**CHECK, "interval": "2s"},
            "failback": {"mode": "Automatic", "holdDown": "0s", "maxChangesPerHour": 2},
        },
    ),
    "multivalue": Profile(
        weights={Fault.ENDPOINT_FAILS: 8, Fault.REGION_FAILS: 2, Fault.DRAINED: 2},
        steps=(2, 6), records=(1, 2), zones=(1, 1), controllers=(1,), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(40.0, 70.0), late=0.0, spec={"strategy": "MultiValue"},
        lasting={Fault.ENDPOINT_FAILS: (14.0, 40.0), Fault.REGION_FAILS: (14.0, 40.0)},
    ),
    "min serving": Profile(
        weights={Fault.ENDPOINT_FAILS: 8, Fault.REGION_FAILS: 2, Fault.DRAINED: 2},
        steps=(2, 6), records=(1, 2), zones=(1, 1), controllers=(1,), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(40.0, 70.0), late=0.0, spec={"strategy": "Priority", "minServing": 2},
        lasting={Fault.ENDPOINT_FAILS: (14.0, 40.0), Fault.REGION_FAILS: (14.0, 40.0)},
    ),
    "darkness": Profile(
        weights={
            Fault.EVERYTHING_FAILS: 6, Fault.NAME_DELETED: 3, Fault.ENDPOINT_FAILS: 2, Fault.DRAINED: 1,
            Fault.RECORD_CREATED: 4,
        },
        steps=(3, 7), records=(2, 3), zones=(1, 1), controllers=(1,), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(70.0, 100.0), late=0.6, lasting={Fault.EVERYTHING_FAILS: (30.0, 70.0)},
    ),
    "addresses": Profile(
        weights={Fault.ADDRESS_FAILS: 8, Fault.ENDPOINT_FAILS: 2, Fault.DRAINED: 1},
        steps=(3, 6), records=(1, 2), zones=(1, 1), controllers=(1,), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(50.0, 80.0), late=0.0, addresses=3,
        lasting={Fault.ADDRESS_FAILS: (14.0, 40.0), Fault.ENDPOINT_FAILS: (14.0, 40.0)},
    ),
    "zones": Profile(
        weights={
            Fault.ZONES_DECLARED: 10, Fault.LEFT_FOR_NOTHING: 4, Fault.ZONES_MISTYPED: 3, Fault.ZONE_RENAMED: 2,
            Fault.ZONE_TWINNED: 2, Fault.ZONE_DELETED: 1, Fault.ZONES_RECREATED: 1, Fault.ZONE_SETTINGS: 1,
            Fault.PARENT_LEAVES: 10, Fault.ENDPOINT_FAILS: 3, Fault.PROVIDER_AWAY: 1, Fault.SLOW: 1, Fault.CRASH: 1,
            Fault.NAME_DELETED: 2, Fault.RECORD_DELETED: 1,
        },
        steps=(6, 14), records=(1, 2), zones=(2, 3), controllers=(1, 1, 2), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(60.0, 100.0), late=0.0, has_parent=True,
        lasting={
            Fault.PARENT_LEAVES: (15.0, 60.0), Fault.ZONES_MISTYPED: (10.0, 30.0), Fault.ENDPOINT_FAILS: (9.0, 25.0),
            Fault.ZONE_RENAMED: (0.5, 20.0), Fault.ZONE_DELETED: (0.5, 20.0), Fault.PROVIDER_AWAY: (10.0, 40.0),
        },
    ),
    "parents": Profile(  # zones are left while the parent drops them, and names them again
        weights={Fault.PARENT_LEAVES: 10, Fault.ZONES_DECLARED: 12},
        steps=(12, 20), records=(1, 2), zones=(2, 3), controllers=(1,), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(80.0, 120.0), late=0.0, has_parent=True,
        lasting={Fault.PARENT_LEAVES: (12.0, 45.0)},
    ),
    "left for nothing": Profile(  # a zone is left for one in which the name was damaged in that very moment
        weights={Fault.LEFT_FOR_NOTHING: 6, Fault.PARENT_LEAVES: 1, Fault.ENDPOINT_FAILS: 2},
        providers=("clouddns", "rfc2136"), looks=Looks(reading=200.0, changes=200.0),
        steps=(2, 5), records=(1, 2), zones=(2, 3), controllers=(1, 1, 2), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(60.0, 100.0), late=0.0, has_parent=True,
        lasting={Fault.PARENT_LEAVES: (15.0, 60.0), Fault.ENDPOINT_FAILS: (9.0, 25.0)},
    ),
    "claimants": Profile(
        weights={
            Fault.CLAIMED: 10, Fault.ENDPOINT_FAILS: 4, Fault.CRASH: 1, Fault.SLOW: 1, Fault.DRAINED: 1,
            Fault.NAME_DELETED: 1, Fault.VALUES_REPLACED: 1, Fault.PROVIDER_AWAY: 1,
        },
        steps=(4, 9), records=(1, 2), zones=(1, 2), controllers=(1, 1, 2), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(60.0, 90.0), late=0.0,
        lasting={Fault.CLAIMED: (6.0, 30.0), Fault.ENDPOINT_FAILS: (9.0, 25.0), Fault.PROVIDER_AWAY: (4.0, 15.0)},
    ),
    "power cuts": Profile(
        weights={Fault.ENDPOINT_FAILS: 8, Fault.REGION_FAILS: 2, Fault.DRAINED: 2, Fault.TTL_DECLARED: 1,
            Fault.VALUES_REPLACED: 1, Fault.PAUSE: 1},
        steps=(6, 12), records=(1, 2), zones=(1, 2), controllers=(1, 1, 2), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(60.0, 90.0), late=0.0, off=(300.0, 14400.0),
        lasting={Fault.ENDPOINT_FAILS: (9.0, 40.0), Fault.REGION_FAILS: (9.0, 40.0), Fault.PAUSE: (2.0, 20.0)},
    ),
    "pauses": Profile(
        weights={Fault.ENDPOINT_FAILS: 8, Fault.DRAINED: 2, Fault.TTL_DECLARED: 1, Fault.VALUES_REPLACED: 1},
        steps=(6, 12), records=(1, 2), zones=(1, 1), controllers=(1, 1, 2), sites=(1,), regions_evacuated=(3,),
        panic_threshold=(100,), length=(60.0, 90.0), late=0.0, off=(60.0, 300.0),
        lasting={Fault.ENDPOINT_FAILS: (9.0, 40.0), Fault.DRAINED: (4.0, 20.0)},
    ),
    "unchecked": Profile(
        weights={Fault.CHECKS_FAIL: 6, Fault.ENDPOINT_FAILS: 4, Fault.CRASH: 1, Fault.DRAINED: 1},
        controllers=(1, 2, 2, 3), sites=(1,), zones=(1, 1), records=(1, 2), steps=(2, 5), panic_threshold=(1, 50, 100),
        regions_evacuated=(3,), length=(60.0, 90.0), late=0.0,
        lasting={Fault.CHECKS_FAIL: (4.0, 60.0), Fault.ENDPOINT_FAILS: (16.0, 40.0)},
    ),
    "rotations": Profile(
        weights={Fault.KEY_ROTATED: 5, Fault.KEY_REVOKED: 5, Fault.ENDPOINT_FAILS: 8, Fault.DRAINED: 2,
            Fault.VALUES_REPLACED: 1},
        providers=("rfc2136",), controllers=(1, 1, 2), sites=(1,), zones=(1, 2), records=(1, 2), steps=(6, 12),
        panic_threshold=(100,), regions_evacuated=(3,), length=(70.0, 110.0), late=0.0,
        lasting={Fault.KEY_ROTATED: (20.0, 50.0), Fault.ENDPOINT_FAILS: (16.0, 40.0)},
    ),
    "old readings": Profile(
        weights={Fault.READS_OLD: 8, Fault.ENDPOINT_FAILS: 8, Fault.DRAINED: 3, Fault.VALUES_REPLACED: 2,
            Fault.CRASH: 1, Fault.TTL_DECLARED: 2, Fault.LOST_AFTER: 2},
        providers=ATOMIC, controllers=(1, 1, 2), sites=(1,), zones=(1, 2), records=(1, 2), steps=(6, 12),
        panic_threshold=(100,), regions_evacuated=(3,), length=(60.0, 90.0), late=0.0,
        lasting={Fault.READS_OLD: (5.0, 30.0), Fault.ENDPOINT_FAILS: (8.0, 30.0), Fault.LOST_AFTER: (1.0, 6.0)},
    ),
    "behind": Profile(
        weights={
            Fault.DECLARATIONS_OLD: 8, Fault.ENDPOINT_FAILS: 6, Fault.DRAINED: 3, Fault.TTL_DECLARED: 2,
            Fault.ENDPOINT_ADDED: 2, Fault.ENDPOINT_REMOVED: 2, Fault.RECORD_DELETED: 1, Fault.RECORD_CREATED: 2,
            Fault.REGION_DRAINED: 1, Fault.SUSPENDED: 1, Fault.CRASH: 2, Fault.LEASE_LOST: 2, Fault.VALUES_REPLACED: 1,
        },
        controllers=(2, 2, 3), sites=(1,), zones=(1, 2), records=(1, 3), steps=(6, 12), regions_evacuated=(3,),
        panic_threshold=(100,), length=(60.0, 90.0),
        lasting={Fault.DECLARATIONS_OLD: (6.0, 40.0), Fault.ENDPOINT_FAILS: (9.0, 30.0)},
    ),
    "slow lists": Profile(
        weights={
            Fault.API_SLOW: 6, Fault.ENDPOINT_FAILS: 3, Fault.DRAINED: 6, Fault.REGION_DRAINED: 4,
            Fault.TTL_DECLARED: 4, Fault.RECORD_DELETED: 4, Fault.ENDPOINT_ADDED: 2, Fault.SUSPENDED: 2,
            Fault.LEASE_LOST: 6, Fault.WATCHES_BREAK: 2,
        },
        controllers=(1, 2, 2), sites=(1,), zones=(1, 2), records=(2, 3), steps=(12, 20), regions_evacuated=(3,),
        panic_threshold=(100,), length=(75.0, 100.0), spec={"deletionPolicy": "Delete"},
        lasting={
            Fault.API_SLOW: (20.0, 50.0), Fault.ENDPOINT_FAILS: (16.0, 40.0), Fault.RECORD_DELETED: (2.0, 10.0),
            Fault.DRAINED: (6.0, 20.0), Fault.REGION_DRAINED: (6.0, 20.0),
        },
    ),
    "clones": Profile(
        weights={
            Fault.ENDPOINT_FAILS: 8, Fault.DRAINED: 2, Fault.TTL_DECLARED: 1, Fault.VALUES_REPLACED: 1,
            Fault.NAME_DELETED: 1, Fault.SLOW: 1, Fault.LOST_AFTER: 1, Fault.CRASH: 1,
        },
        are_clones=True, sites=(2,), controllers=(1,), zones=(1, 1), records=(1, 2), steps=(3, 8), late=0.0,
        regions_evacuated=(3,), panic_threshold=(100,), length=(90.0, 130.0),
        lasting={Fault.ENDPOINT_FAILS: (16.0, 40.0), Fault.SLOW: (2.0, 8.0), Fault.LOST_AFTER: (1.0, 6.0)},
    ),
    "deletions": Profile(
        weights={Fault.ALL_DELETED: 3, Fault.CRASH: 1, Fault.API_AWAY: 1},
        providers=("route53", "clouddns", "rfc2136"), controllers=(1,), sites=(1,), steps=(2, 4), zones=(1, 1),
        records=(13, 16), late=0.0, spec={"deletionPolicy": "Delete"},
    ),
    "recreated": Profile(
        weights={
            Fault.RECORD_DELETED: 6, Fault.RECORDS_RECREATED: 4, Fault.WATCHES_BREAK: 2, Fault.WATCHES_DEAF: 3,
            Fault.API_AWAY: 3, Fault.SLOW: 2, Fault.PROVIDER_AWAY: 2, Fault.CRASH: 2, Fault.FOREIGN_NAME: 2,
        },
        controllers=(1, 2), sites=(1,), spec={"deletionPolicy": "Delete"},
    ),
    "stolen": Profile(
        weights={Fault.MARKER_STOLEN: 8, Fault.MARKER_DELETED: 2, Fault.RECORD_DELETED: 8, Fault.SLOW: 2},
        providers=("azuredns",), zones=(1, 1), controllers=(1,), sites=(1,), steps=(12, 20), records=(1, 1),
        length=(30.0, 40.0), spec={"deletionPolicy": "Delete"}, lasting={Fault.RECORD_DELETED: (1.0, 4.0)},
    ),
    "accounts": Profile(  # damage shows in the zones' own accounts of changes alone
        weights={**OUTSIDERS, Fault.ENDPOINT_FAILS: 4, Fault.CRASH: 1, Fault.PROVIDER_AWAY: 1, Fault.SLOW: 1},
        providers=("clouddns", "rfc2136"), controllers=(1, 1, 2), sites=(1,), steps=(5, 12), length=(40.0, 80.0),
        looks=Looks(audit=400.0, reading=400.0, changes=5.0),
    ),
    "readings": Profile(  # and here in readings of the whole zone
        weights={**OUTSIDERS, Fault.ENDPOINT_FAILS: 4, Fault.CRASH: 1, Fault.PROVIDER_AWAY: 1, Fault.SLOW: 1},
        providers=("route53",), controllers=(1, 1, 2), sites=(1,), steps=(5, 12), length=(40.0, 80.0),
        looks=Looks(audit=10.0, reading=400.0, questions_per_day=1_000.0),
    ),
    "standby": Profile(
        weights={
            Fault.SERVERS_AWAY: 5, Fault.SERVERS_LAG: 2, Fault.BLIND: 5, Fault.SLOW: 1, Fault.PROVIDER_AWAY: 1,
            Fault.LATE: 1,
        },
        sites=(2,), controllers=(1,), zones=(1, 1), length=(80.0, 110.0), steps=(3, 6),
        lasting={Fault.SERVERS_AWAY: (40.0, 70.0), Fault.BLIND: (40.0, 70.0)},
    ),
    "vantages": Profile(  # one of three says the contrary, is gone, or is a thief's
        weights={
            Fault.VANTAGE_LIES: 8, Fault.VANTAGE_GONE: 3, Fault.VANTAGE_CUT_OFF: 3, Fault.VANTAGE_STOLEN: 3,
            Fault.VANTAGE_CLOCK: 1, Fault.ENDPOINT_FAILS: 8, Fault.REGION_FAILS: 2, Fault.DRAINED: 1, Fault.CRASH: 1,
        },
        vantages=2, controllers=(1,), sites=(1,), zones=(1, 1), records=(1, 2), steps=(5, 10),
        regions_evacuated=(3,), panic_threshold=(50, 100), length=(60.0, 100.0), late=0.0,
        lasting={
            Fault.VANTAGE_LIES: (8.0, 40.0), Fault.VANTAGE_GONE: (2.0, 40.0), Fault.VANTAGE_CUT_OFF: (2.0, 40.0),
            Fault.VANTAGE_STOLEN: (4.0, 40.0), Fault.VANTAGE_CLOCK: (10.0, 40.0), Fault.ENDPOINT_FAILS: (16.0, 40.0),
            Fault.REGION_FAILS: (16.0, 40.0),
        },
    ),
    "vantages amiss": Profile(  # so many of three that the others are no majority: nothing is known, and nothing moves
        weights={Fault.VANTAGE_LIES: 8, Fault.VANTAGE_GONE: 6, Fault.VANTAGE_CUT_OFF: 6, Fault.ENDPOINT_FAILS: 4},
        vantages=2, one_is_odd=False, controllers=(1,), sites=(1,), zones=(1, 1), records=(1, 2), steps=(6, 12),
        regions_evacuated=(3,), panic_threshold=(100,), length=(70.0, 110.0), late=0.0,
        lasting={
            Fault.VANTAGE_LIES: (10.0, 30.0), Fault.VANTAGE_GONE: (30.0, 60.0), Fault.VANTAGE_CUT_OFF: (30.0, 60.0),
            Fault.ENDPOINT_FAILS: (8.0, 30.0),
        },
    ),
    "vantages inward": Profile(  # those in a region see it fail where nobody else does
        weights={Fault.VANTAGES_INWARD: 6, Fault.ENDPOINT_FAILS: 6, Fault.CRASH: 1},
        vantages=2, inward=True, controllers=(1,), sites=(1,), zones=(1, 1), records=(1, 2), steps=(3, 7),
        regions_evacuated=(3,), panic_threshold=(100,), length=(60.0, 90.0), late=0.0,
        lasting={Fault.VANTAGES_INWARD: (12.0, 40.0), Fault.ENDPOINT_FAILS: (16.0, 40.0)},
    ),
    "withdrawals": Profile(  # of many endpoints several fail within a minute, as seen from one place
        weights={Fault.ENDPOINT_FAILS: 12, Fault.REGION_FAILS: 2, Fault.DRAINED: 1, Fault.CRASH: 1, Fault.SLOW: 1},
        withdrawal=(1, 25, 25, 40), endpoints=(4, 8), controllers=(1, 1, 2), sites=(1,), zones=(1, 2), records=(1, 2),
        steps=(8, 16), regions_evacuated=(3,), panic_threshold=(100,), length=(80.0, 130.0), late=0.0, dual_stack=0.0,
        lasting={Fault.ENDPOINT_FAILS: (8.0, 60.0), Fault.REGION_FAILS: (8.0, 60.0)},
        spec={"strategy": "MultiValue", "failback": SOON},
    ),
    "canaries": Profile(  # a region fails as a whole while its endpoints still answer
        weights={
            Fault.CANARY_FAILS: 10, Fault.ENDPOINT_FAILS: 4, Fault.REGION_FAILS: 1, Fault.DRAINED: 1, Fault.CRASH: 2,
            Fault.STOP: 1, Fault.SLOW: 1, Fault.SIGNAL_STANDS: 6, Fault.SIGNALS_AWAY: 3,
        },
        has_canaries=True, controllers=(1, 1, 2), sites=(1,), zones=(1, 2), records=(1, 2), steps=(4, 9),
        regions_evacuated=(3,), panic_threshold=(100,), length=(80.0, 130.0), late=0.0,
        lasting={
            Fault.CANARY_FAILS: (2.0, 60.0), Fault.ENDPOINT_FAILS: (8.0, 40.0), Fault.SIGNAL_STANDS: (5.0, 90.0),
            Fault.SIGNALS_AWAY: (5.0, 60.0),
        },
    ),
    "shards": Profile(  # replicas divide the zones, come and go
        weights={**EVERYTHING, Fault.STOP: 6, Fault.CRASH: 6, Fault.PAUSE: 6, Fault.REGION_FAILS: 8},
        sharding=True, tied=0.2, controllers=(2, 3, 3), zones=(2, 4), records=(3, 6), sites=(1,),
        length=(50.0, 100.0), steps=(4, 12),
    ),
    "shards and regions": Profile(  # who divides the zones lets names leave one region together, and no more
        weights={
            Fault.REGION_FAILS: 8, Fault.ENDPOINT_FAILS: 6, Fault.CRASH: 4, Fault.STOP: 4, Fault.LEASE_LOST: 1,
        },
        sharding=True, tied=0.1, controllers=(2, 3), zones=(2, 4), records=(3, 6), sites=(1,), steps=(3, 8),
        regions_evacuated=(1,), panic_threshold=(100,), length=(50.0, 90.0), late=0.0,
    ),
    "shards on the move": Profile(  # zones change hands while endpoints that have failed are held down
        weights={Fault.ENDPOINT_FAILS: 8, Fault.STOP: 8},
        sharding=True, tied=0.0, controllers=(2,), zones=(2, 2), records=(4, 6), sites=(1,), steps=(12, 20),
        regions_evacuated=(3,), panic_threshold=(100,), length=(60.0, 90.0), late=0.0, dual_stack=0.0,
        lasting={Fault.ENDPOINT_FAILS: (22.0, 34.0)},
        spec={"failback": SOON, "strategy": "Priority"},
    ),
    "shards and ties": Profile(  # records tie zones together that several replicas have, and leave them again
        weights={
            Fault.ZONES_DECLARED: 12, Fault.ENDPOINT_FAILS: 4, Fault.CRASH: 2, Fault.STOP: 2, Fault.PAUSE: 1,
            Fault.RECORD_CREATED: 3, Fault.RECORD_DELETED: 2, Fault.API_CUT_OFF: 1,
            Fault.ZONE_TWINNED: 2, Fault.ZONE_DELETED: 1, Fault.ZONE_RENAMED: 1,
        },
        sharding=True, tied=0.2, controllers=(2, 3), zones=(2, 4), records=(3, 5), sites=(1,), steps=(5, 12),
        regions_evacuated=(3,), panic_threshold=(100,), length=(60.0, 100.0), late=0.1, has_parent=True,
    ),
}  # fmt: skip


def generate(seed: int, profile: str = "general") -> Schedule:
    """Return the schedule of `seed`."""
    draw = random.Random(f"{profile} {seed}")
    taste = PROFILES[profile]
    setting = _setting(draw, taste)
    length = draw.uniform(*taste.length)
    count = draw.randint(*taste.steps)
    faults = draw.choices(list(taste.weights), list(taste.weights.values()), k=count)
    steps = (_step(draw, fault, setting, taste, length) for fault in faults)
    ordered = tuple(sorted(steps, key=lambda each: each.at))
    if taste.off is not None:
        ordered, length = _with_everybody_off(draw, ordered, length, taste.off)
    setting = replace(setting, withdrawal=draw.choice(taste.withdrawal))  # the last to be drawn, so that it shifts none
    return Schedule(seed=seed, profile=profile, setting=setting, steps=ordered, length=length)


def _with_everybody_off(
    draw: random.Random, steps: tuple[Step, ...], length: float, off: tuple[float, float]
) -> tuple[tuple[Step, ...], float]:
    """Let everybody be off for long somewhere in between; what lasts meanwhile ends before, or goes on after it."""
    at, seconds = draw.uniform(FIRST_FAULT + 4, length - 20), draw.uniform(*off)
    back = [each for each in steps if each.fault is Fault.ENDPOINT_FAILS and 10.0 < each.until < length - 20]
    moved = []
    if back and draw.random() < 0.7:  # who has just come back, and is held down, is gone again when they go on
        again = draw.choice(back)
        at = again.until + draw.uniform(2.5, 9.0)
        moved.append(replace(again, at=round(at + 1, 2), seconds=round(seconds + draw.uniform(5.0, 30.0), 2)))
    for each in steps:
        if each.at >= at:
            moved.append(replace(each, at=round(each.at + seconds, 2)))
        elif each.until > at and draw.random() < 0.6:
            moved.append(replace(each, seconds=round(each.seconds + seconds, 2)))
        else:
            moved.append(each)
    moved.append(Step(at=round(at, 2), fault=Fault.ALL_OFF, seconds=round(seconds, 2), number=draw.randint(0, 2)))
    return tuple(sorted(moved, key=lambda each: each.at)), length + seconds


def _setting(draw: random.Random, taste: Profile) -> Setting:
    count = draw.randint(*taste.zones)
    zones = tuple(
        ZoneSetting(name=f"{provider}-{number}", provider=provider)
        for number, provider in enumerate(draw.choices(taste.providers, k=count), 1)
    )
    sites = []
    for number in range(draw.choice(taste.sites)):
        name = "ab"[number]
        replicas = tuple(
            ControllerSetting(
                name=f"{name}{place}", rate=draw.uniform(0.95, 1.05), wall_offset=draw.uniform(-OFFSET, OFFSET)
            )
            for place in range(1, draw.choice(taste.controllers) + 1)
        )
        sites.append(SiteSetting(name=name, controllers=replicas, rank=number))
    records = tuple(
        RecordSetting(
            name=f"r{number}", spec=_spec(draw, number, zones, taste), late=number > 1 and draw.random() < taste.late
        )
        for number in range(1, draw.randint(*taste.records) + 1)
    )
    places, odd = _vantages(draw, taste, sites)
    return Setting(
        vantages=places,
        odd=odd,
        may_lack_votes=not taste.one_is_odd,
        sites=tuple(sites),
        zones=zones,
        records=records,
        regions_evacuated=draw.choice(taste.regions_evacuated),
        panic_threshold=draw.choice(taste.panic_threshold),
        has_parent=taste.has_parent,
        are_clones=taste.are_clones,
        has_canaries=taste.has_canaries,
        sharding=taste.sharding,
        looks=taste.looks,
    )


def _vantages(
    draw: random.Random, taste: Profile, sites: Sequence[SiteSetting]
) -> tuple[tuple[VantageSetting, ...], str]:
    """Return the vantages beside the operator's own, and the one of all with which something may be amiss."""
    if not taste.vantages:
        return (), ""
    region = REGIONS[0] if taste.inward else ""
    places = tuple(
        VantageSetting(
            name=f"v{number}", region=region, rate=draw.uniform(0.95, 1.05), wall_offset=draw.uniform(-1.0, 1.0)
        )
        for number in range(1, taste.vantages + 1)
    )
    names = [*(each.name for each in places), sites[0].controllers[0].name]
    return places, draw.choice(names)


def _spec(draw: random.Random, number: int, zones: Sequence[ZoneSetting], taste: Profile) -> dict[str, Any]:
    chosen = draw.sample(zones, draw.randint(1, len(zones)) if taste.tied is None else 1 + (draw.random() < taste.tied))
    endpoints = []
    dual = draw.random() < taste.dual_stack
    for place in range(1, draw.randint(*taste.endpoints) + 1):
        addresses = [f"192.0.2.{10 * number + place}", f"2001:db8::{10 * number + place}"]
        kept = draw.choice((slice(0, 2), slice(0, 1), slice(1, 2))) if dual else slice(0, 1)
        more = [each for another in range(1, _more(draw, taste) + 1) for each in _further(number, place, another)[kept]]
        endpoints.append(
            {
                "name": f"e{place}",
                "region": REGIONS[(place - 1) % len(REGIONS)],
                "addresses": addresses[kept] + more,
                "priority": draw.randint(1, place),
            }
        )
        if taste.hostnames and draw.random() < taste.hostnames:
            del endpoints[-1]["addresses"]
            endpoints[-1]["hostname"] = hostname_of(number, place)
    spec: dict[str, Any] = {
        "hostname": f"r{number}.{DOMAIN}",
        "zones": [{"name": each.name} for each in chosen],
        "ttl": 30,
        "endpoints": endpoints,
        "healthCheck": CHECK,
        "strategy": draw.choice(("Priority", "Priority", "MultiValue")),
        "whenAllUnhealthy": draw.choice(("KeepLast", "KeepLast", "ServeAll")),
        "deletionPolicy": draw.choice(("Retain", "Delete")),
        "failback": draw.choice((SOON,) * 4 + ({"mode": "Manual"},)),
    }
    if taste.wildcards and draw.random() < taste.wildcards:
        spec["hostname"] = f"*.{spec['hostname']}"
    if taste.canonical and draw.random() < taste.canonical:
        return _canonical(spec, number)
    return {**spec, **taste.spec}


def _canonical(spec: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the spec of a record that publishes one target, and what goes with it."""
    endpoints = [
        {**{key: value for key, value in each.items() if key != "addresses"}, "hostname": hostname_of(number, place)}
        for place, each in enumerate(spec["endpoints"], 1)
    ]
    ways = {"publish": "CNAME", "strategy": "Priority", "whenAllUnhealthy": "KeepLast"}
    return {**spec, **ways, "endpoints": endpoints}


def _more(draw: random.Random, taste: Profile) -> int:
    return draw.randint(0, taste.addresses - 1) if taste.addresses > 1 else 0


def _further(number: int, place: int, another: int) -> list[str]:
    """Return a further address of each family for an endpoint."""
    return [f"192.0.2.{100 + 10 * number + 3 * place + another}", f"2001:db8:{another}::{10 * number + place}"]


def _step(draw: random.Random, fault: Fault, setting: Setting, taste: Profile, length: float) -> Step:
    at = draw.uniform(FIRST_FAULT, max(FIRST_FAULT + 1, length - 4))
    if setting.may_lack_votes and fault in OF_VANTAGES:  # what was said last has to be stale when somebody lies
        at = draw.uniform(LIES_FROM, length - 4) if fault is Fault.VANTAGE_LIES else draw.uniform(FIRST_FAULT, GONE_BY)
    left = length - at
    seconds = draw.choice((draw.uniform(0.5, 4), draw.uniform(3, 15), draw.uniform(8, 40)))
    if fault in (Fault.CRASH, Fault.STOP):
        seconds = draw.choice((draw.uniform(0.1, 2), draw.uniform(1, 20)))
    elif fault is Fault.SITE_LOST:
        seconds = draw.uniform(15, 70)
    elif fault in taste.lasting:
        seconds = draw.uniform(*taste.lasting[fault])
    where, number = _where(draw, fault, setting), _number(draw, fault, at)
    if taste.late_by and fault is Fault.LATE:
        number = draw.randint(*taste.late_by)
    return Step(
        at=round(at, 2),
        fault=fault,
        where=where,
        seconds=round(min(left, seconds), 2),
        number=number,
        share=draw.choice((0.3, 0.6, 1.0)) if fault in NETWORK else 1.0,
    )


def _where(draw: random.Random, fault: Fault, setting: Setting) -> str:
    record = draw.choice(setting.records)
    if fault is Fault.VANTAGES_INWARD:
        return setting.vantages[0].region
    if fault in OF_VANTAGES:
        is_anybody_s = setting.may_lack_votes and fault is not Fault.VANTAGE_LIES
        return draw.choice(setting.vantages).name if is_anybody_s else setting.odd
    if fault in PROCESS or fault in (Fault.BLIND, Fault.API_CUT_OFF, Fault.CHECKS_FAIL, Fault.DECLARATIONS_OLD):
        return draw.choice(setting.controllers)
    if fault in NETWORK or fault in OF_ZONES or fault in OF_PROVIDERS or fault in OF_DNS_ZONES:
        return draw.choice(setting.zones).name
    if fault in CLUSTER or fault in (Fault.SITE_LOST, Fault.ZONES_RECREATED):
        return draw.choice(setting.sites).name
    if fault in (Fault.REGION_DRAINED, Fault.REGION_FAILS, Fault.CANARY_FAILS, Fault.SIGNAL_STANDS):
        return draw.choice(REGIONS)
    if fault is Fault.HOSTNAME_MOVES:
        known: list[str] = [each["hostname"] for each in record.spec["endpoints"] if "hostname" in each]
        return draw.choice(known or [""])
    if fault in OF_ENDPOINTS:
        addresses = addresses_of(draw.choice(record.spec["endpoints"]))
        return draw.choice(addresses) if fault is Fault.ADDRESS_FAILS else " and ".join(addresses)
    if fault in OUTSIDERS or fault in (Fault.FAMILY_DELETED, Fault.LEFT_FOR_NOTHING):
        return f"{record.spec['hostname']} in {draw.choice(record.spec['zones'])['name']}"
    return record.name if fault in PEOPLE or fault in OF_RECORDS else ""


def _number(draw: random.Random, fault: Fault, at: float) -> int:
    """Return what the step's `number` is: a place in a backup, a count of calls, seconds, or just a number."""
    if fault is Fault.VANTAGE_CLOCK:
        return draw.choice((-40, 40))
    if fault is Fault.WALL_CLOCK_JUMPS:
        return draw.randint(-3600, 3600)
    if fault in CLUSTER or fault in OF_ZONES:
        return int(draw.uniform(2, at))
    if fault in PROCESS or fault in NETWORK or fault is Fault.READS_SLOW:
        return draw.randint(2, 15)
    if fault is Fault.READS_OLD:
        return draw.randint(1, 4)
    return draw.randint(1, 200)
