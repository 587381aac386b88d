"""What only the operator can know to be wrong: a condition says what to do, with one event and no change in DNS."""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator

import pytest

from detour_lab.services.certificates import CertificateAuthority
from detour_lab.services.services import RegionalService, ServiceCertificates

from .operating import SWIFT, Lab, Manifest, Stage
from .operatorprocess import until
from .stories import story

pytestmark = pytest.mark.asyncio(loop_scope="session")


@contextlib.asynccontextmanager
async def a_guest(lab: Lab) -> AsyncIterator[Stage]:
    """A second namespace, whose records would like to use the first one's zone."""
    made = await lab.stage("guest")
    try:
        yield made
    finally:
        await made.close()


def visiting(host: Stage, guest: Stage, endpoints: list[Manifest]) -> Manifest:
    """Return a record in the guest's namespace for the host's zone."""
    zones = [{"name": "zone", "namespace": host.namespace}]
    return guest.record(endpoints, hostname=f"api.{host.domain}", zones=zones)


@story
async def test_a_hostname_outside_the_zone_is_named_with_the_zone(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    await stage.apply(*stage.basics(), stage.record([virginia], hostname="api.elsewhere.example"))
    told = await stage.condition("api", "Published", "False", "HostnameOutsideZone")
    assert "api.elsewhere.example is not within" in told
    assert stage.domain in told
    await stage.condition("api", "Ready", "False", "HostnameOutsideZone")
    await stage.saw("Warning HostnameOutsideZone")
    assert len(await stage.told("HostnameOutsideZone", times=1)) == 1
    assert (await stage.status())["summary"]["serving"] == "-"


@story
async def test_a_hostname_below_a_zone_cut_is_refused(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    await stage.edit_zone(f"eu.{stage.domain}", "NS", "ns1.example.net.")
    await stage.apply(*stage.basics(), stage.record([virginia], hostname=f"api.eu.{stage.domain}"))
    told = await stage.condition("api", "Published", "False", "BelowZoneCut")
    assert f"use a DNSZone for eu.{stage.domain}" in told


@story
async def test_a_zone_that_is_not_declared_is_waited_for(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    namespace, secret, zone = stage.basics()
    await stage.apply(namespace, secret, stage.record([virginia]))
    told = await stage.condition("api", "Published", "False", "ZoneMissing")
    assert f"DNSZone {stage.namespace}/zone does not exist" in told
    await stage.apply(zone)
    await stage.serves(virginia.address)
    await stage.ready()


@story
async def test_a_zone_that_is_deleted_is_missed_and_its_names_stay(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    await stage.apply(*stage.basics(), stage.record([virginia]))
    await stage.ready()
    before = stage.commits()
    await stage.kubectl("delete", "dz", "zone")
    await stage.condition("api", "Published", "False", "ZoneMissing")
    assert stage.commits() == before
    await stage.apply(stage.zone())
    await stage.ready()


@story
@pytest.mark.parametrize("order", [("fr", "dz"), ("dz", "fr")], ids="-".join)
async def test_records_and_their_zone_deleted_in_the_same_second_are_cleaned_up_and_gone(
    stage: Stage, order: tuple[str, str]
) -> None:
    (virginia,) = await stage.places("virginia")
    names = ("one", "two", "three")
    await stage.apply(*stage.basics(), *(stage.record([virginia], name, deletionPolicy="Delete") for name in names))
    for name in names:
        await stage.ready(name)

    async def is_guarded() -> bool:
        return bool((await stage.read("zone", "dz"))["metadata"].get("finalizers"))

    await until(is_guarded, "the zone bears our finalizer: one that does not is gone at once")
    await stage.kubectl("delete", ",".join(order), "--all", "--wait=false")  # by one kubectl: they take their time

    async def all_gone() -> bool:
        return not (await stage.kubectl("get", "fr,dz", "-o", "name")).startswith(("fail", "dnsz"))

    await until(all_gone, "no object is left", 60)
    assert [stage.published(name) for name in names] == [(), (), ()]


@story
async def test_by_default_a_zone_takes_records_of_its_own_namespace_only(stage: Stage) -> None:
    async with a_guest(stage.lab) as guest:
        (virginia,) = await guest.places("virginia")
        await stage.apply(*stage.basics(), *guest.basics()[:1], visiting(stage, guest, [virginia.endpoint(1)]))
        told = await guest.condition("api", "Published", "False", "NamespaceNotAllowed")
        assert "spec.allowedNamespaces" in told
        assert stage.published() == ()
        await stage.patch("zone", {"allowedNamespaces": {"from": "All"}}, "dz")
        await stage.serves(virginia.address)
        await guest.ready()


@story
async def test_a_zone_can_choose_namespaces_by_their_labels(stage: Stage) -> None:
    async with a_guest(stage.lab) as guest:
        (virginia,) = await guest.places("virginia")
        selector = {"from": "Selector", "selector": {"matchLabels": {"dns": "shared"}}}
        zone = stage.zone(allowedNamespaces=selector)
        await stage.apply(
            *stage.basics()[:2], zone, *guest.basics()[:1], visiting(stage, guest, [virginia.endpoint(1)])
        )
        await guest.condition("api", "Published", "False", "NamespaceNotAllowed")
        await stage.kubectl("label", "namespace", guest.namespace, "dns=shared")
        await stage.serves(virginia.address)
        await guest.ready()


@story
async def test_of_two_objects_for_one_zone_the_older_counts(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    await stage.apply(*stage.basics(), stage.record([virginia]))
    await stage.ready()
    await asyncio.sleep(1.1)  # creation times have whole seconds
    await stage.apply(stage.zone("copy"))
    told = await stage.condition("copy", "Ready", "False", "DuplicateZone", kind="dz")
    assert f"{stage.namespace}/zone" in told
    await stage.ready("zone", kind="dz")
    await stage.apply(stage.record([virginia], "mistaken", zones=[{"name": "copy"}]))
    await stage.ready("mistaken")  # the older one is written for both
    await stage.kubectl("delete", "dz", "zone")
    await stage.ready("copy", kind="dz")
    await stage.ready("mistaken")


@story
async def test_a_ca_bundle_that_is_missing_is_named_and_used_once_it_is_there(stage: Stage) -> None:
    authority = CertificateAuthority(datetime.datetime.now(datetime.UTC))
    (virginia,) = await stage.places("virginia")
    secure = RegionalService(
        f"{virginia.address[:-1]}9", stage.lab.port, tls=ServiceCertificates.issue(authority, f"api.{stage.domain}")
    )
    await secure.start()
    stage.services.append(secure)
    check = {"https": {"port": stage.lab.port, "path": "/", "caBundleRef": {"name": "authorities"}}, **SWIFT}
    record = stage.record([virginia.endpoint(1, addresses=[secure.address])], healthCheck=check)
    await stage.apply(*stage.basics(), record)
    told = await stage.condition("api", "Ready", "False", "Invalid")
    assert f"ConfigMap {stage.namespace}/authorities with key 'ca.crt' does not exist" in told
    bundle = {"kind": "ConfigMap", "metadata": {"name": "authorities", "namespace": stage.namespace}}
    await stage.apply({**bundle, "data": {"ca.crt": authority.pem}})
    await stage.serves(secure.address)
    await stage.ready()


@story
async def test_a_certificate_of_an_unknown_authority_is_a_reason_that_names_itself(stage: Stage) -> None:
    authority = CertificateAuthority(datetime.datetime.now(datetime.UTC))
    tls = ServiceCertificates.issue(authority, f"api.{stage.domain}")
    (virginia,) = await stage.places("virginia")
    secure = RegionalService(f"{virginia.address[:-1]}9", stage.lab.port, tls=tls)
    await secure.start()
    stage.services.append(secure)
    check = {"https": {"port": stage.lab.port}, **SWIFT}
    await stage.apply(
        *stage.basics(), stage.record([virginia.endpoint(1, addresses=[secure.address])], healthCheck=check)
    )
    await stage.condition("api", "Healthy", "False", "NoneHealthy", saying="is not trusted")
