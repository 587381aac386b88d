"""One run: a schedule played on the virtual clock, and the history of it.

Faults for as long as the schedule is long; then everything works again, a person does what conditions ask for, and
there is quiet. By its end all must be as it should be.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from detour.enactment import fence
from detour.enactment.ledger import Ledger
from detour.enactment.markers import Marker
from detour.enactment.sites import Site
from detour.engine import nameservers
from detour.model.generation import Generation
from detour.model.objects import Kind
from detour.model.record import ObjectKey
from detour.model.rrset import RRset, RRType
from detour.twin.loop import PROCESS, START, virtual_loop
from detour_simulation import canaries, expectation, honesty, person, sharing
from detour_simulation.apiserver import ApiServer, Backup
from detour_simulation.controller import Surroundings
from detour_simulation.defects import defects_told
from detour_simulation.dnszones import DNSZones
from detour_simulation.faults import FAULTS
from detour_simulation.generator import DOMAIN, NAMESPACE, OWNER
from detour_simulation.history import (
    Befell,
    Broke,
    CanaryChanged,
    Event,
    HealthChanged,
    History,
    ParentChanged,
    Pinned,
    Terms,
    Told,
    Unsettled,
)
from detour_simulation.hosted import LOOK_AT_PARENT, NS_TTL, Parent, hosted_zone
from detour_simulation.hostnames import pool
from detour_simulation.probes import LEASES, Probe, lease, vantage
from detour_simulation.regions import REGIONS
from detour_simulation.schedule import RecordSetting, Schedule, Setting, SiteSetting, Step, lasts
from detour_simulation.slot import Slot
from detour_simulation.weather import Network
from detour_simulation.zones import SimulatedZone

PERSON_AFTER = (45.0, 75.0, 105.0)
"""Seconds of quiet after which a person looks, and does what conditions ask for."""

APPLIED_AGAIN_AFTER = 1.0
"""Seconds after which a person, or a tool, applies again what did not take."""

QUIET = 60.0
"""Seconds of quiet after which everything must be as it should be, counted anew whenever a person has helped, or zones
have gone to another replica."""

BACKED_UP = 200.0
"""Seconds into the run for which there are backups."""

LOOK_EVERY = 3.0
SAMPLE_EVERY = 1.0
STAYS_FOR = 14.0
"""Seconds for which everything has to stay right before the run ends."""


class Run:
    """Plays `schedule`. `history` tells what happened."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.loop = virtual_loop()
        setting = schedule.setting
        self.history = History(
            Terms(
                owner=OWNER,
                domain=DOMAIN,
                one_by_one=frozenset(each.name for each in setting.zones if each.provider == "azuredns"),
                sites={each.name: site.name for site in setting.sites for each in site.controllers},
                take_over_after=setting.take_over_after,
                regions_per_window=setting.regions_evacuated,
                window=float(setting.window),
                noticed_within=setting.looks.within,
                doubts_at_once=setting.panic_threshold == 1,
                shares_markers=len(setting.sites) > 1 and not setting.are_clones,
                are_clones=setting.are_clones,
                is_divided=setting.sharding,
                may_lack_votes=setting.may_lack_votes,
                withdrawal=setting.withdrawal / 100,
                has_canaries=setting.has_canaries,
                parent_ttl=NS_TTL if setting.has_parent else None,
            )
        )
        self.network = Network(self.loop)
        self.surroundings = Surroundings(
            loop=self.loop,
            network=self.network,
            looks=setting.looks,
            owner=OWNER,
        )
        self.servers: dict[str, ApiServer] = {}
        self.slots: dict[str, Slot] = {}
        self.probes: dict[str, Probe] = {}
        self.desired: dict[str, dict[str, Any]] = {}
        self.drained_regions: set[str] = set()
        self.freezes: Counter[str] = Counter()  # by zone: how many last just now
        self.dns_zones = DNSZones(self)
        self.zone_backups: list[dict[str, dict[Any, RRset]]] = []
        self.api_backups: list[dict[str, Backup]] = []
        self.executed = 0
        self._failures: Counter[str] = Counter()
        self._supports: Counter[str] = Counter()
        self._converged_since: float | None = None
        self._quiet_since = 0.0
        self._led: dict[str, str] = {}

    @property
    def now(self) -> float:
        """Seconds into the run."""
        return self.loop.now - START

    @property
    def steps(self) -> int:
        """Fault steps and outside calls so far."""
        return self.executed + self.network.steps

    def play(self) -> History:
        """Play it to the end."""
        with _random_claims(), _parent_looked_at(self.schedule.setting), defects_told(self._defect):
            try:
                self.loop.later(0.0, self._begin)
                self.loop.run_forever()
            finally:
                self._clean_up()
        return self.history

    def _defect(self, text: str) -> None:
        process = PROCESS.get()
        self.history.add(Broke(at=self.loop.now, controller=process.name if process else "a controller", text=text))

    # -- what happens when -----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        setting = self.schedule.setting
        for zone in setting.zones:
            one_by_one = zone.provider == "azuredns"
            simulated = SimulatedZone(zone.name, loop=self.loop, history=self.history, one_by_one=one_by_one)
            simulated.tamper(_foreign().items(), damage=False)
            self.surroundings.zones[zone.name] = simulated
        if setting.has_parent:
            self.surroundings.parent = Parent(self.surroundings.zones, self._parent_changed)
        for site in setting.sites:
            self._found(site)
        for hostname in _hostnames(setting.records):
            first, other = pool(hostname)
            self.surroundings.names[hostname] = (first,)
            self.fail(other)
        for record in setting.records:
            if not record.late:
                self.declare(record.name, record.spec)
        for slot in self.slots.values():
            slot.start()
        for probe in self.probes.values():
            probe.start()
        for step in self.schedule.steps:
            self.loop.later(step.at, self._execute, step)
        for second in range(int(min(self.schedule.length, BACKED_UP))):
            self.loop.later(float(second), self._back_up)
        self.loop.later(SAMPLE_EVERY, self._sample)
        self.loop.later(self.schedule.length, self._calm)

    def _found(self, site: SiteSetting) -> None:
        setting = self.schedule.setting
        several = len(setting.sites) > 1 and not setting.are_clones
        first = setting.sites[0].name
        copied = first if setting.are_clones else site.name
        server = ApiServer(site.name, copied, loop=self.loop, history=self.history)
        self.servers[site.name] = server
        where = Site(copied, site.rank, setting.renew_every if several else 0.0, setting.take_over_after)
        for region in REGIONS:
            declared: dict[str, Any] = {"cloud": "AWS", "location": region}
            if setting.has_canaries:
                self.surroundings.canaries[canaries.hostname(region)] = (canaries.address(region),)
                declared |= canaries.spec(region)
            server.apply(_object("CloudRegion", region, declared, namespace=None))
        for zone in setting.zones:
            server.apply(self.dns_zone(zone.name))
        for each in site.controllers:
            self.slots[each.name] = Slot(self, each, where, server)
        for place in setting.vantages if site.name == first else ():
            server.apply(vantage(place))
            server.create_lease(LEASES, lease(place))
            self.probes[place.name] = Probe(
                place, surroundings=self.surroundings, server=server, seed=self.schedule.seed
            )

    def _parent_changed(self, zone: str, named: bool) -> None:
        self.history.add(ParentChanged(at=self.loop.now, zone=zone, named=named))

    def _execute(self, step: Step) -> None:
        self.executed += 1
        now = self.loop.now
        self.history.add(Told(at=now, text=str(step)))
        self.history.add(Befell(at=now, fault=step.fault, where=step.where, until=now + lasts(step)))
        FAULTS[step.fault](self, step)

    def _back_up(self) -> None:
        self.zone_backups.append({name: zone.backup() for name, zone in self.surroundings.zones.items()})
        self.api_backups.append({name: server.backup() for name, server in self.servers.items()})

    def _calm(self) -> None:
        """Let everything work again, and wait for what is still on its way."""
        self.network.clear_up()
        for slot in self.slots.values():
            slot.restart_after = 0.5
            if slot.controller is not None:
                slot.controller.caller.disarm()
                slot.controller.catch_up()
            slot.resume()
        for server in self.servers.values():
            for watch in server.watches:
                if watch.is_deaf:
                    self.loop.later(0.0, watch.end)
        for zone in self.surroundings.zones.values():
            zone.lag = zone.read_lag = 0.0
        landing = max(0.0, self.network.last_landing - self.loop.now)
        self.loop.later(landing + 1.0, self._rest)

    def _rest(self) -> None:
        self.history.add(Told(at=self.loop.now, text="-- from here on nothing is in the way --"))
        for slot in self.slots.values():
            slot.start()
        for probe in self.probes.values():
            probe.start()
        for server in self.servers.values():
            self.follow_desired(server)
        for after in PERSON_AFTER:
            self.loop.later(after, self._ask_for_help)
        self._quiet_since = self.loop.now
        self.loop.later(LOOK_EVERY, self._look)

    def _ask_for_help(self) -> None:
        if person.help_out(self):
            self._quiet_since = self.loop.now

    def _look(self) -> None:
        """See whether all is as it should be, and stays so."""
        now = self.loop.now
        led = sharing.leaders(self)
        if led != self._led:
            self._led, self._quiet_since = led, now
        wrong = expectation.discrepancies(self)
        if wrong:
            self._converged_since = None
            if now > self._quiet_since + QUIET:
                self.history.add(Unsettled(at=now, text=wrong[0]))
                self.loop.stop()
                return
        elif self._converged_since is None:
            self._converged_since = now
        elif now - self._converged_since >= STAYS_FOR:
            self.loop.stop()
            return
        self.loop.later(LOOK_EVERY, self._look)

    def _sample(self) -> None:
        """See whether what is said to be in sync is."""
        found: list[Event] = [*honesty.misreports(self), *sharing.decided_twice(self), *sharing.overdrawn(self)]
        for event in found:
            self.history.add(event)
        self.loop.later(SAMPLE_EVERY, self._sample)

    def _clean_up(self) -> None:
        for slot in self.slots.values():
            for controller in slot.past:
                controller.on_defect = _forget
                if controller.process.ended or controller.process.frozen:
                    self.loop.revive(controller.process)
        for probe in self.probes.values():
            for process in probe.past:
                if process.ended:
                    self.loop.revive(process)
        for each in self.loop.errors:
            text = f"{each.get('message')}: {each.get('exception')!r}"
            self.history.add(Broke(at=self.loop.now, controller="a controller", text=text))
        self.loop.drain()
        self.loop.close()

    # -- what faults do to it --------------------------------------------------------------------------------------

    def dns_zone(self, name: str) -> dict[str, Any]:
        """Return the object of a DNSZone for the hosted zone that its name says."""
        hosted = hosted_zone(name)
        provider = next(each.provider for each in self.schedule.setting.zones if each.name == hosted)
        spec = {"domain": DOMAIN, "safety": self._safety(name), **_provider_settings(provider, hosted)}
        return _object("DNSZone", name, spec, created=max(0.0, self.now))

    def declare(self, name: str, spec: dict[str, Any]) -> None:
        """A person declares a record, in every site."""
        self.desired[name] = spec
        for endpoint in spec["endpoints"]:
            self.surroundings.regions_of |= dict.fromkeys(endpoint.get("addresses", ()), endpoint["region"])
        for server in self.servers.values():
            self._apply(server, name)

    def _apply(self, server: ApiServer, name: str) -> None:
        """Apply what is desired of a record: once more where the object of before is about to go, until it is gone."""
        if (spec := self.desired.get(name)) is None:
            return
        if server.is_ending(Kind.FAILOVER_RECORD, name, NAMESPACE):
            self.loop.later(APPLIED_AGAIN_AFTER, self._apply, server, name)
        server.apply(_object("FailoverRecord", name, spec))

    def undeclare(self, name: str) -> None:
        """A person deletes a record, in every site."""
        if self.desired.pop(name, None) is not None:
            for server in self.servers.values():
                server.delete(Kind.FAILOVER_RECORD, name, NAMESPACE)

    def revisions(self, name: str) -> list[int]:
        """Return the revisions that the status of a record tells of, the newest first."""
        server = next(iter(self.servers.values()))
        raw = server.objects.get((Kind.FAILOVER_RECORD, NAMESPACE, name), {})
        return [each["revision"] for each in raw.get("status", {}).get("history", ())]

    def pin(self, name: str, revision: int | None) -> None:
        """A person pins a record to a revision that its status tells of, or (None) takes that back."""
        server = next(iter(self.servers.values()))
        raw = server.objects.get((Kind.FAILOVER_RECORD, NAMESPACE, name))
        if raw is None:
            return
        told = raw.get("status", {}).get("history", ())
        values = next((each["values"] for each in told if each["revision"] == revision), ())
        hostname = raw["spec"]["hostname"]
        self.history.add(Pinned(at=self.loop.now, hostname=hostname, values=frozenset(values)))
        for each in server.listed(Kind.OVERRIDE):
            if each["spec"]["record"] == name:
                server.delete(Kind.OVERRIDE, each["metadata"]["name"], NAMESPACE)
        if revision is not None:
            spec = {"action": "Pin", "record": name, "revision": revision, **ASKED}
            server.apply(_object("Override", f"pin-{name}-{revision}", spec))

    def override(self, name: str, action: str, seconds: float, **about: str) -> None:
        """A person overrides the verdicts of a record in every site, for so long."""
        spec = {"action": action, "record": name, **about, **ASKED}
        number = f"{self.loop.now:.3f}".replace(".", "-")
        made = _object("Override", f"{action.lower()}-{name}-{number}", spec)
        for server in self.servers.values():
            server.apply(made)
            self.loop.later(seconds, server.delete, Kind.OVERRIDE, made["metadata"]["name"], NAMESPACE)

    def replace_secret(self, zone: str, secret: str) -> None:
        """Let the Secret of a hosted zone hold something else, in every site."""
        for server in self.servers.values():
            server.secrets[secret_of(zone)] = secret

    def freeze(self, zone: str, number: int) -> None:
        """A person freezes a zone in every site (1), or takes that back (-1)."""
        self.freezes[zone] += number
        for server in self.servers.values():
            server.change(Kind.DNS_ZONE, zone, NAMESPACE, safety=self._safety(zone))

    def _safety(self, zone: str) -> dict[str, Any]:
        setting = self.schedule.setting
        return {
            "maxRegionsEvacuated": setting.regions_evacuated,
            "window": f"{setting.window}s",
            "panicThreshold": setting.panic_threshold,
            "withdrawal": setting.withdrawal,
            **({"frozen": True} if self.freezes[zone] else {}),
        }

    def follow_desired(self, server: ApiServer) -> None:
        """Make a site hold what is declared, as whoever brings the manifests there does."""
        for zone in self.freezes:
            server.change(Kind.DNS_ZONE, zone, NAMESPACE, safety=self._safety(zone))
        for region in REGIONS:
            wanted = "Drained" if region in self.drained_regions else "Active"
            server.change(Kind.CLOUD_REGION, region, "", state=wanted)
        held = [key[2] for key in server.objects if key[0] is Kind.FAILOVER_RECORD]
        for name in held:
            if name not in self.desired:
                server.delete(Kind.FAILOVER_RECORD, name, NAMESPACE)
        for name, spec in self.desired.items():
            key = (Kind.FAILOVER_RECORD, NAMESPACE, name)
            if key not in server.objects or server.objects[key]["spec"] != spec:
                server.apply(_object("FailoverRecord", name, spec))

    def move(self, hostname: str) -> None:
        """Let a hostname lead to the other one of its addresses, which works from now on in place of the first."""
        (before,) = self.surroundings.names[hostname]
        (after,) = (each for each in pool(hostname) if each != before)
        self.surroundings.names[hostname] = (after,)
        self.recover(after)
        self.fail(before)

    def fail(self, address: str) -> None:
        """Let an address stop to work, once more."""
        self._failures[address] += 1
        self._turn(address)

    def recover(self, address: str) -> None:
        """Take back one `fail`."""
        self._failures[address] -= 1
        self._turn(address)

    def support(self, address: str) -> None:
        """Let an address work whatever fails, once more."""
        self._supports[address] += 1
        self._turn(address)

    def unsupport(self, address: str) -> None:
        """Take back one `support`."""
        self._supports[address] -= 1
        self._turn(address)

    def _turn(self, address: str) -> None:
        fails = self._failures[address] > 0 and self._supports[address] == 0
        failing = self.surroundings.failing
        if fails is not (address in failing):
            (failing.add if fails else failing.discard)(address)
            region = next((each for each in REGIONS if canaries.address(each) == address), None)
            if region is None:
                self.history.add(HealthChanged(at=self.loop.now, address=address, works=not fails))
            else:
                self.history.add(CanaryChanged(at=self.loop.now, region=region, works=not fails))
        for hostname, led_to in self.surroundings.names.items():
            fails = all(each in failing for each in led_to)
            if fails is not (hostname in failing):
                (failing.add if fails else failing.discard)(hostname)
                self.history.add(HealthChanged(at=self.loop.now, address=hostname, works=not fails))


def _hostnames(records: Iterable[RecordSetting]) -> list[str]:
    return [each["hostname"] for record in records for each in record.spec["endpoints"] if "hostname" in each]


def secret_of(zone: str) -> str:
    """Return the name of the Secret with the credentials for a hosted zone."""
    return f"key-of-{zone}"


def _forget(error: BaseException | None) -> None:
    """Nothing that happens after the end matters."""


ASKED = {"reason": "a person knows", "requestedBy": "somebody", "expiresAt": "2026-11-26T20:00:00Z"}
"""Of an override: it is taken back before its time is over."""


def _object(
    kind: str, name: str, spec: Mapping[str, Any], namespace: str | None = NAMESPACE, *, created: float = 0.0
) -> dict[str, Any]:
    minutes, seconds = divmod(int(created), 60)
    metadata = {"name": name, "creationTimestamp": f"2026-11-23T20:{minutes:02}:{seconds:02}Z"}
    if namespace is not None:
        metadata["namespace"] = namespace
    return {"apiVersion": "detour.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": dict(spec)}


def _provider_settings(provider: str, name: str) -> dict[str, Any]:
    """Return what a DNSZone says of its provider; zones of one provider differ in it."""
    number = int(name.rpartition("-")[2])
    match provider:
        case "route53":
            return {"route53": {"zoneID": f"ZLAB{number}"}}
        case "clouddns":
            return {"googleCloudDNS": {"project": "lab-project", "managedZone": name}}
        case "azuredns":
            subscription = "00000000-0000-0000-0000-000000000001"
            return {"azureDNS": {"subscriptionID": subscription, "resourceGroup": name}}
        case _:
            server = {"server": f"192.0.2.{52 + number}:53"}
            return {"rfc2136": server, "credentialsSecretRef": {"name": secret_of(name)}}


def _foreign() -> dict[Any, RRset]:
    """Return what others have in every zone: plain names, and another installation's ledger and name."""
    sets = [
        RRset(DOMAIN, RRType.TXT, 300, ("v=spf1 -all",)),
        RRset(f"www.{DOMAIN}", RRType.A, 300, ("203.0.113.80",)),
        RRset(f"shared.{DOMAIN}", RRType.A, 30, ("203.0.113.81",)),
        Marker("other-team", ObjectKey("their", "shared"), "uid-of-theirs").rrset(f"shared.{DOMAIN}"),
        Ledger("their-site", "feed", Generation(3, 14)).rrset("other-team", DOMAIN),
    ]
    return {each.key: each for each in sets}


@contextmanager
def _parent_looked_at(setting: Setting) -> Iterator[None]:
    """Let processes look at the parent more often than every ten minutes: no run lasts so long."""
    before = nameservers.LOOK_UP_PERIOD
    period = LOOK_AT_PARENT if setting.has_parent else before
    setattr(nameservers, "LOOK_UP_PERIOD", period)  # noqa: B010 - a constant, but for here
    try:
        yield
    finally:
        setattr(nameservers, "LOOK_UP_PERIOD", before)  # noqa: B010 - as above


@dataclass(slots=True)
class Claims:
    """Stands in for the module `secrets`: what is random there is drawn per process here."""

    counts: dict[str, int]

    def token_hex(self, size: int) -> str:
        process = PROCESS.get()
        name = process.name if process else ""
        self.counts[name] = self.counts.get(name, 0) + 1
        return f"{name} {self.counts[name]}".encode().hex().zfill(2 * size)[-2 * size :]


@contextmanager
def _random_claims() -> Iterator[None]:
    """Give every claim a value of its own that is the same in each run of a schedule."""
    before = vars(fence)["secrets"]
    setattr(fence, "secrets", Claims({}))  # noqa: B010 - only `token_hex` is used there
    try:
        yield
    finally:
        setattr(fence, "secrets", before)  # noqa: B010 - as it was before
