"""One installation in two clusters: which site writes, what the other one shows, and how a zone changes hands.

Two API servers with the chart installed in each, two operators, one set of clouds. Site a is in force when a test
begins. That a whole region takes its cluster along is the acceptance row `sitelost`.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
import yaml

from detour_lab.clouds.clouds import AZURE, BIND, GOOGLE, ROUTE53
from detour_lab.faults import Fault, FaultKind
from detour_lab.stage.operatorprocess import OperatorProcess
from detour_lab.stage.stage import NAMESPACE, StageError, wait_for
from detour_lab.stories.soak.fire import WRITES
from detour_lab.stories.soak.truth import Truth
from detour_lab.stories.soak.watch import Watch
from detour_lab.stories.twosites import LEDGER, SiteCluster, Times, TwoSites
from detour_lab.zones.store import Commit

from .measuring import metric
from .operatorprocess import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

REGION = "aws-us-east-1"
TIMES = Times.short(8)
"""Seconds without a move after which a site counts as gone; tests for what does not happen watch for longer."""

TAKE_OVER = "detour.dev/take-over"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[TwoSites]:
    """Two sites for all tests here, with logs of every zone."""
    async with TwoSites(times=TIMES, real_bind=False, flags=("--audit-every=2",)) as made:
        await made.wait_until_ready()
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def sites(world: TwoSites) -> AsyncIterator[TwoSites]:
    """The same sites; whatever a test does, site a is in force again for the next one."""
    yield world
    await world.lab.mend_region(REGION)
    for cluster in world.clusters:
        for operator in cluster.operators:
            operator.resume()
            if not operator.running:
                await operator.start()
    for zone, position in (await world.positions()).items():
        if position is None or position.site != "a":
            await annotate(world.a, zone)
    await wait_for(lambda: in_force(world, "a"), timeout=PATIENCE, what="site a in force again", interval=0.2)
    await wait_for(lambda: holds_right(world), timeout=PATIENCE, what="the right values in every zone", interval=0.2)
    await world.until_standby(world.b, PATIENCE)
    await wait_for(lambda: follows(world), timeout=PATIENCE, what="these values in b's status", interval=0.2)


async def annotate(cluster: SiteCluster, zone: str) -> None:
    """Take a zone over by hand, as the docs say."""
    await cluster.kubectl("annotate", f"dz/{zone}", "-n", NAMESPACE, "--overwrite", f"{TAKE_OVER}={time.time_ns()}")


async def in_force(sites: TwoSites, site: str) -> bool:
    """Tell whether the ledgers of all zones bear this site."""
    return all(each is not None and each.site == site for each in (await sites.positions()).values())


async def holds_right(sites: TwoSites) -> bool:
    """Tell whether every zone holds what the state of the services demands."""
    return all(held(sites, zone, name) == values for (zone, name), values in sites.truth.answers().items())


async def follows(sites: TwoSites) -> bool:
    """Tell whether every record of site b shows what the zones hold."""
    for name, spec in sites.truth.specs.items():
        zones = (await sites.b.get("failoverrecord", name))["status"]["zones"]
        if any(set(each["values"]) != held(sites, each["name"], spec["hostname"]) for each in zones):
            return False
    return True


def commits_of(sites: TwoSites, cluster: SiteCluster, *, since: float) -> list[Commit]:
    """Return what a site has written since then (monotonic seconds): its ledgers, and at Azure what bears its name."""
    return [
        each
        for zone in sites.lab.zones
        for each in sites.emulated(zone).store.log
        if each.at > since
        and (
            any(one.name == LEDGER and f"site={cluster.site} " in " ".join(one.values) for one in each.added)
            or f":{cluster.operator.name}_" in each.by
        )
    ]


def touched(sites: TwoSites, hostname: str) -> list[Commit]:
    """Return every commit that touched a name or its marker."""
    return [
        each
        for zone in sites.lab.zones
        for each in sites.emulated(zone).store.log
        if any(one.name in (hostname, f"_detour.{hostname}") for one in (*each.added, *each.removed))
    ]


def held(sites: TwoSites, zone: str, hostname: str) -> set[str]:
    """Return the addresses that a zone holds for a name."""
    found = sites.emulated(zone).store.get(hostname, "A")
    return set(found.values) if found else set()


def only_api(cluster: SiteCluster, name: str, policy: str) -> str:
    """Return a manifest like that of the record `api` under another name."""
    spec = {**Truth(cluster.lab).specs["api"], "hostname": f"{name}.shop.example.com", "deletionPolicy": policy}
    metadata = {"name": name, "namespace": NAMESPACE}
    return yaml.safe_dump(
        {"apiVersion": "detour.dev/v1alpha1", "kind": "FailoverRecord", "metadata": metadata, "spec": spec}
    )


async def says(
    cluster: SiteCluster, name: str, type_: str, status: str, reason: str, *, kind: str = "failoverrecord", of: str = ""
) -> str:
    """Wait until a condition is so, with `of` in its message, which is returned."""
    last: dict[str, str] = {}

    async def look() -> bool:
        conditions = (await cluster.get(kind, name)).get("status", {}).get("conditions", [])
        last.clear()
        last.update(next((each for each in conditions if each["type"] == type_), {}))
        return (last.get("status"), last.get("reason")) == (status, reason) and of in last["message"]

    try:
        await wait_for(look, timeout=PATIENCE, what=f"{kind}/{name} {type_}={status} {reason} {of}", interval=0.2)
    except StageError as error:
        raise StageError(f"{error}; it has {last}") from error
    return last["message"]


@asynccontextmanager
async def declared(cluster: SiteCluster, name: str, *, policy: str = "Retain") -> AsyncIterator[str]:
    """Declare a record like `api` in one cluster alone, and delete it afterwards; its hostname is given."""
    await cluster.apply(only_api(cluster, name, policy))
    try:
        yield f"{name}.shop.example.com"
    finally:
        await cluster.kubectl("delete", "fr", name, "-n", NAMESPACE, "--timeout=180s")


async def test_the_zones_of_a_standby_say_which_site_is_in_force(sites: TwoSites) -> None:
    for zone in sites.lab.zones:
        told = await says(sites.b, zone, "InForce", "False", "Standby", kind="dnszone")
        assert "site 'a' is in force" in told
        assert f"--overwrite {TAKE_OVER}=" in told
        assert await says(sites.b, zone, "Ready", "True", "Standby", kind="dnszone")
        assert "'a'" in await says(sites.a, zone, "InForce", "True", "ThisSite", kind="dnszone")
    for cluster in sites.clusters:
        header, *rows = (await cluster.kubectl("get", "dz", "-n", NAMESPACE)).splitlines()
        place = header.index("SITE")
        assert [row[place:].split()[0] for row in rows if row] == ["a"] * len(sites.lab.zones)


async def test_the_records_of_a_standby_are_ready_and_show_what_the_zones_hold(sites: TwoSites) -> None:
    for name, spec in sites.truth.specs.items():
        assert "another site keeps it" in await says(sites.b, name, "Published", "True", "PublishedByAnotherSite")
        await says(sites.b, name, "Ready", "True", "Standby")
        for zone in (await sites.b.get("failoverrecord", name))["status"]["zones"]:
            assert set(zone["values"]) == held(sites, zone["name"], spec["hostname"]) != set()


async def test_a_standby_follows_what_the_site_in_force_publishes(sites: TwoSites) -> None:
    began = time.monotonic()
    async with Watch(sites.a, sites.truth, repair_within=float("inf"), interval=0.2) as watch:
        await sites.lab.break_region(REGION)
        await watch.until_right(PATIENCE)
        await wait_for(lambda: follows(sites), timeout=PATIENCE, what="the new values in b's status", interval=0.2)
        await says(sites.b, "api", "Ready", "True", "Standby")
        assert not watch.wrong()
    assert not commits_of(sites, sites.b, since=began)


async def test_an_idle_standby_watches_by_dns_and_leaves_the_apis_alone(sites: TwoSites) -> None:
    clouds = sites.lab.clouds
    counters = {ROUTE53: clouds.route53.calls, AZURE: clouds.azure.calls, GOOGLE: clouds.google.calls}

    def calls() -> dict[str, tuple[int, int]]:
        """Return how many writes and how many readings there were, by zone."""
        writes = {zone: sum(found[each] for each in WRITES[zone]) for zone, found in counters.items()}
        return {zone: (writes[zone], found.total() - writes[zone]) for zone, found in counters.items()}

    await sites.renewed_by("a", times=8, timeout=PATIENCE)
    (active,) = sites.a.operators
    active.pause()  # what is called now is called by the standby
    await asyncio.sleep(0.5)
    before = calls()
    await asyncio.sleep(TIMES.take_over_after / 2)
    assert calls() == before
    active.resume()
    await sites.renewed_by("a", times=2, timeout=PATIENCE)
    for zone in sites.lab.zones:
        unseen = await metric(sites.b.operator.url, "detour_zone_ledger_unseen_seconds", zone=zone)
        assert unseen is not None, zone
        assert unseen < TIMES.take_over_after, zone


async def test_a_record_that_is_declared_at_the_standby_alone_is_named_there_and_not_published(
    sites: TwoSites,
) -> None:
    began = time.monotonic()
    async with declared(sites.b, "lonely") as hostname:
        told = await says(sites.b, "lonely", "Published", "False", "NotPublishedThere")
        assert "declare this record in its cluster too" in told
        await says_that_declarations_differ(sites, hostname)
        await sites.renewed_by("a", times=3, timeout=PATIENCE)
    await sites.renewed_by("a", times=2, timeout=PATIENCE)

    assert not touched(sites, hostname)
    assert not commits_of(sites, sites.b, since=began)


async def test_a_record_that_is_declared_at_the_site_in_force_alone_is_named_at_the_standby_and_stays(
    sites: TwoSites,
) -> None:
    began = time.monotonic()
    async with declared(sites.a, "only-a", policy="Delete") as hostname:
        await sites.a.wait_until_ready()
        # Names that a standby does not declare it sees in a full reading only, as at its start.
        await sites.b.operator.terminate()
        await sites.b.operator.start()
        await says_that_declarations_differ(sites, hostname)
        await sites.renewed_by("a", times=2, timeout=PATIENCE)
        assert held(sites, ROUTE53, hostname)
        assert not commits_of(sites, sites.b, since=began)
    assert not held(sites, ROUTE53, hostname)


async def says_that_declarations_differ(sites: TwoSites, hostname: str) -> None:
    """Wait until every zone of site b names what only one site declares, and says what to do."""
    for zone in sites.lab.zones:
        told = await says(sites.b, zone, "Warning", "True", "DeclarationsDiffer", kind="dnszone", of=hostname)
        assert "give both clusters the same FailoverRecords" in told


async def test_an_annotation_at_the_standby_moves_one_zone_and_is_gone_afterwards(sites: TwoSites) -> None:
    before = await sites.positions()
    began = time.monotonic()
    await annotate(sites.b, ROUTE53)
    await says(sites.b, ROUTE53, "InForce", "True", "ThisSite", kind="dnszone")
    told = await says(sites.a, ROUTE53, "InForce", "False", "Standby", kind="dnszone")

    assert "site 'b' is in force" in told
    for cluster, in_force_there in ((sites.a, 0.0), (sites.b, 1.0)):  # what the alert DetourZoneLost asks for
        assert await metric(cluster.operator.url, "detour_zone_in_force", zone=ROUTE53) == in_force_there
    await wait_for(lambda: annotation_noted(sites.b, ROUTE53), timeout=PATIENCE, what="a note of the annotation")
    sides = dict.fromkeys(sites.lab.zones, "a") | {ROUTE53: "b"}
    await sites.renewed(sides, times=TIMES.take_over_after, timeout=PATIENCE)
    after = await sites.positions()
    for zone, position in before.items():
        assert position is not None
        moved = zone == ROUTE53
        now = after[zone]
        assert now is not None
        assert (now.site, now.epoch) == ("b" if moved else "a", position.epoch + moved)
    hostnames = set(sites.truth.hostnames[ROUTE53])
    names = {one.name for each in commits_of(sites, sites.b, since=began) for one in each.added}
    assert not names & hostnames, "a take-over by itself changes no name"


async def annotation_noted(cluster: SiteCluster, zone: str) -> bool:
    """Tell whether a zone's status says that what the annotation asks for was done."""
    found = await cluster.get("dnszone", zone)
    asked = found["metadata"].get("annotations", {}).get(TAKE_OVER)
    return bool(asked) and found.get("status", {}).get("commands", {}).get("takeOver") == asked


async def test_a_site_that_stood_still_for_too_long_becomes_the_standby_and_applies_nothing_old(
    sites: TwoSites,
) -> None:
    superseded_before = await metric(sites.a.operator.url, "detour_zone_superseded", zone=ROUTE53)
    async with Watch(sites.a, sites.truth, repair_within=float("inf"), interval=0.2) as watch:
        sites.a.operator.pause()
        await sites.lab.break_region(REGION)
        await watch.until_right(PATIENCE)
        assert await in_force(sites, "b")
        resumed_at = time.monotonic()
        sites.a.operator.resume()
        await sites.until_standby(sites.a, PATIENCE)
        await sites.renewed_by("b", times=TIMES.take_over_after, timeout=PATIENCE)
        superseded = await metric(sites.a.operator.url, "detour_zone_superseded", zone=ROUTE53)
        late = commits_of(sites, sites.a, since=resumed_at)
        wrong = watch.wrong()
        verdict = watch.verdict(left=[])

    assert superseded_before is not None
    assert superseded == superseded_before + 1
    assert not late
    assert not wrong
    assert verdict.passed, "\n".join(verdict.complaints)


async def test_a_standby_that_stood_still_itself_takes_nothing_over_when_it_wakes(sites: TwoSites) -> None:
    before, began = await sites.positions(), time.monotonic()
    sites.b.operator.pause()
    await sites.renewed_by("a", times=TIMES.take_over_after + 2, timeout=PATIENCE)
    sites.b.operator.resume()
    await sites.renewed_by("a", times=TIMES.take_over_after, timeout=PATIENCE)

    after = await sites.positions()
    assert {zone: each.epoch for zone, each in after.items() if each} == {
        zone: each.epoch for zone, each in before.items() if each
    }
    assert not commits_of(sites, sites.b, since=began)


async def test_a_standby_that_sees_no_ledger_says_for_how_long_and_takes_nothing_over(sites: TwoSites) -> None:
    zone, url = ROUTE53, sites.b.operator.url
    before = await sites.position(zone)
    assert before is not None
    sites.emulated(zone).server.faults.inject(Fault(FaultKind.SERVER_ERROR))
    # Who renews writes without reading; the standby can do neither.
    for operation in ("ListResourceRecordSets", "GetHostedZone"):
        sites.lab.inject(zone, Fault(FaultKind.SERVER_ERROR, operation))
    try:
        for seconds in (2.0, TIMES.take_over_after + 3.0):

            async def unseen(seconds: float = seconds) -> bool:
                found = await metric(url, "detour_zone_ledger_unseen_seconds", zone=zone)
                return found is not None and found > seconds

            await wait_for(unseen, timeout=PATIENCE, what=f"a ledger unseen for {seconds:g} s", interval=0.2)
        blind = await sites.position(zone)
    finally:
        sites.emulated(zone).server.faults.clear()
        sites.lab.api_faults(zone).clear()

    assert blind is not None
    assert (blind.site, blind.epoch) == (before.site, before.epoch)
    assert blind.sequence > before.sequence, "the site in force went on"

    async def seen_again() -> bool:
        found = await metric(url, "detour_zone_ledger_unseen_seconds", zone=zone)
        return found is not None and found < TIMES.take_over_after

    await wait_for(seen_again, timeout=PATIENCE, what="a ledger that is seen again", interval=0.2)
    await sites.renewed_by("a", times=2, timeout=PATIENCE)
    after = await sites.position(zone)
    assert after is not None
    assert (after.site, after.epoch) == (before.site, before.epoch)


async def test_two_clusters_that_were_given_one_owner_by_mistake_leave_it_to_the_first_and_to_a_person(
    sites: TwoSites,
) -> None:
    other = json.dumps({"spec": {"endpoints": sites.truth.specs["api"]["endpoints"][2:]}})
    async with alone(sites.b), alone(sites.a):  # so that b takes nothing over while a starts anew
        await wait_for(lambda: in_force(sites, "a"), timeout=PATIENCE, what="site a in force", interval=0.2)
        began = time.monotonic()
        async with declared(sites.b, "lonely") as lonely:
            await sites.b.kubectl("patch", "fr", "api", "-n", NAMESPACE, "--type=merge", "-p", other)
            told = {}
            for zone in sites.lab.zones:
                told[zone] = await says(sites.b, zone, "Ready", "False", "HeldByAnotherSite", kind="dnszone")
                assert "site 'a'" in told[zone]
                assert "site.enabled=true" in told[zone]
            await says_that_declarations_differ(sites, lonely)
            await says(sites.b, "api", "Published", "False", "DeclaredOtherwise")
            async with Watch(sites.a, sites.truth, repair_within=float("inf"), interval=0.2) as watch:
                await sites.lab.break_region(REGION)
                await watch.until_right(PATIENCE)
                verdict = watch.verdict(left=[])
        await sites.b.apply(sites.truth.manifest)
        assert verdict.passed, "\n".join(verdict.complaints)
        assert not touched(sites, lonely)
        assert not commits_of(sites, sites.b, since=began)

        _, command, _ = told[BIND].split("`")
        await sites.b.kubectl(*command.split()[1:])
        await says(sites.b, BIND, "InForce", "True", "ThisSite", kind="dnszone")
        assert "site 'b'" in await says(sites.a, BIND, "Ready", "False", "HeldByAnotherSite", kind="dnszone")


@asynccontextmanager
async def alone(cluster: SiteCluster) -> AsyncIterator[OperatorProcess]:
    """Let a cluster's operator run as it does without `site.enabled`."""
    await cluster.operator.terminate()
    operator = cluster.operator_with("--renew-every=0")
    try:
        await operator.start()
        yield operator
    finally:
        await operator.close()
        await cluster.operator.start()
