"""`detour doctor` and `detour zone`: what is found, how bad it is, and what to do."""

import tarfile
from pathlib import Path

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdatatype
import pytest

from detour.cli.bundle import write
from detour.cli.diagnosis import Facts, Finding, ServerSeen, Severity, ZoneSeen, diagnosed, document, lines, zone_lines
from detour.cli.overview import Replica
from detour.cli.told import Told
from detour.model.objects import Kind

from .statuses import endpoint, record, region, zone

NOON = 1_796_040_000.0
LEADER = Replica("detour-system/detour", "detour-0_1", "0.1.0", "2026-11-30T11:59:58Z")
SEEN = ServerSeen("ns1.example.net", "ns1.example.net. hostmaster.example.org. 7 1 2 3 60")
KEY = "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ=="
OTHER = KEY.replace("mdss", "mdst")


def ds_of(key: str) -> str:
    read = dns.rdata.from_text("IN", "DNSKEY", key)
    return dns.dnssec.make_ds(dns.name.from_text("example.org"), read, "SHA256").to_text()


def facts(*objects: Told, seen: ZoneSeen | None = None, leader: Replica = LEADER, **more: object) -> Facts:
    vantages = [
        Told(
            Kind.VANTAGE,
            {"metadata": {"name": name, "generation": 1}, "status": {"observedGeneration": 1, "state": "Trusted"}},
        )
        for name in ("a", "b", "c")
    ]
    zones = {"shop/main": seen} if seen is not None else {}
    given: dict[str, object] = {"objects": (*vantages, *objects), "replicas": (leader,), **more}
    return Facts(zones=zones, version="0.1.0", now=NOON, **given)  # type: ignore[arg-type]


def worse(found: list[Finding]) -> list[tuple[Severity, str]]:
    return [(each.severity, each.message) for each in found if each.severity is not Severity.FINE]


def good_zone(**spec: str) -> Told:
    return zone(spec={"domain": "example.org", **spec}, nameServers=["ns1.example.net"])


def test_where_all_is_well_nothing_is_wrong_and_it_is_said() -> None:
    signed = ZoneSeen((SEEN,), frozenset({"ns1.example.net"}), (ds_of(KEY),), (KEY,), is_signed=True)
    found = diagnosed(facts(record(), good_zone(), region(), seen=signed))
    assert not worse(found)
    assert lines(found)[-1] == "Nothing is known that would keep a failover from working today; 0 risks."
    assert any("a key of it fits the parent's DS record" in each for each in lines(found))


@pytest.mark.parametrize(
    ("seen", "severity", "told"),
    [
        (ZoneSeen((SEEN,), None, (ds_of(KEY),), (), None), Severity.FAILS, "the zone has no DNSKEY"),
        (ZoneSeen((SEEN,), None, (ds_of(OTHER),), (KEY,), True), Severity.FAILS, "no DNSKEY of the zone fits"),
        (ZoneSeen((SEEN,), None, (ds_of(KEY),), (KEY,), False), Severity.FAILS, "without a signature"),
        (ZoneSeen((SEEN,), frozenset({"old.example.net"})), Severity.FAILS, "none of which serves this zone"),
        (
            ZoneSeen((SEEN,), frozenset({"ns1.example.net", "old.example.net"})),
            Severity.RISK,
            "the world is also sent to old.example.net",
        ),
        (ZoneSeen((ServerSeen("ns1", trouble="ns1 is silent"),)), Severity.RISK, "none of its name servers answers"),
        (ZoneSeen((SEEN, ServerSeen("ns2", trouble="ns2 is silent"))), Severity.RISK, "1 of 2 name servers do not"),
        (ZoneSeen(), Severity.RISK, "no name server of it is known"),
    ],
)
def test_what_keeps_answers_from_being_found_or_believed(seen: ZoneSeen, severity: Severity, told: str) -> None:
    ((found, message),) = worse(diagnosed(facts(good_zone(), seen=seen)))
    assert found is severity
    assert told in message


def test_a_ds_of_a_digest_that_nobody_knows_beside_a_good_one_is_fine() -> None:
    odd = ds_of(KEY).split(" ")
    odd[2] = "5"
    assert not worse(
        diagnosed(facts(good_zone(), seen=ZoneSeen((SEEN,), None, (" ".join(odd), ds_of(KEY)), (KEY,), True)))
    )


def test_a_signed_zone_without_a_ds_is_fine() -> None:
    assert not worse(diagnosed(facts(good_zone(), seen=ZoneSeen((SEEN,), None, (), (KEY,), True))))


@pytest.mark.parametrize(
    ("leader", "severity", "told"),
    [
        (Replica("a/b", "x", "0.1.0", "2026-11-30T11:00:00Z"), Severity.FAILS, "nobody has led by Lease a/b for"),
        (Replica("a/b", "", "0.1.0", ""), Severity.FAILS, "nobody has led"),
        (Replica("a/b", "x", "0.2.0", "2026-11-30T11:59:58Z"), Severity.RISK, "is led by version 0.2.0"),
    ],
)
def test_an_operator_that_does_not_lead_or_is_another_version(leader: Replica, severity: Severity, told: str) -> None:
    ((found, message),) = worse(diagnosed(facts(leader=leader)))
    assert found is severity
    assert told in message


def test_records_that_have_nowhere_to_go_are_named() -> None:
    bad = [endpoint("one", "192.0.2.1"), endpoint("two", "192.0.2.2", "Unhealthy")]
    found = worse(diagnosed(facts(record("a", endpoints=bad), record("b", endpoints=bad), record("c"))))
    assert found == [
        (
            Severity.RISK,
            "shop/a, shop/b have healthy endpoints in fewer than two regions: there is nowhere to go if that one fails",
        )
    ]


def test_records_and_zones_that_are_not_well_come_first() -> None:
    found = diagnosed(facts(record(), record("www", state="Down"), zone(state="Failing")))
    assert [each.severity for each in found][:2] == [Severity.FAILS] * 2
    assert lines(found)[-1].startswith("2 things keep failovers from working today")
    assert document(found)["findings"]


def test_a_majority_that_is_gone_condemns_nothing() -> None:
    stale = [
        Told(
            Kind.VANTAGE,
            {"metadata": {"name": name, "generation": 1}, "status": {"observedGeneration": 1, "state": "Stale"}},
        )
        for name in ("x", "y", "z")
    ]
    found = worse(diagnosed(facts(*stale)))
    assert (Severity.FAILS, "4 of 7 votes can be cast: no majority can condemn anything") not in found
    assert (Severity.FAILS, "1 of 4 votes can be cast: no majority can condemn anything") in worse(
        diagnosed(Facts((*stale,), (LEADER,), {}, "0.1.0", NOON))
    )


def test_a_zone_is_shown_in_full() -> None:
    told = zone(
        state="Held",
        spec={"domain": "example.org"},
        ownedRecords=2,
        pendingChanges=1,
        orphanedRecords={"count": 1, "names": ["old.example.org"]},
        held={"count": 1, "digest": "abc", "changes": ["api: 192.0.2.1 -> 192.0.2.2"]},
        provider="route53",
        zoneID="Z1",
    )
    text = "\n".join(zone_lines(told, [record(), record("www", state="Held")], ZoneSeen((SEEN,)), NOON))
    for part in (
        "shop/main  example.org  Held",
        "route53, its zone Z1",
        "ledger     1.7, written by site here",
        "2 owned, 1 waiting to be written, 1 orphaned",
        "orphaned: old.example.org",
        "server     ns1.example.net: serial 7",
        "held       api: 192.0.2.1 -> 192.0.2.2",
        "records    2: 1 Held, 1 OK",
    ):
        assert part in text


def test_a_bundle_has_objects_events_and_findings(tmp_path: Path) -> None:
    path = tmp_path / "detour.tar.gz"
    events = [{"reason": "Rerouted", "message": "api: 192.0.2.1 -> 192.0.2.2"}]
    names = write(path, facts(record(), good_zone()), events)
    assert names == [
        "versions.txt",
        "doctor.txt",
        "failoverrecords.yaml",
        "dnszones.yaml",
        "vantages.yaml",
        "events.json",
    ]
    with tarfile.open(path) as archive:
        texts = {each.name: archive.extractfile(each) for each in archive.getmembers()}
        read = {name: file.read().decode() for name, file in texts.items() if file is not None}
    assert "Rerouted" in read["detour/events.json"]
    assert "api.example.org" in read["detour/failoverrecords.yaml"]
    assert "Nothing is known" in read["detour/doctor.txt"]
    assert path.stat().st_mode & 0o777 == 0o600, "names and addresses are nobody else's"
