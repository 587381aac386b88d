"""What the clouds' status pages say, in the shapes that they have, and in ones that they should not have."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.model.signals import Incidents
from detour.signals.feeds import MOST_INCIDENTS, UnreadableFeedError, incidents_in

OPEN_EVENT: dict[str, Any] = {
    "date": "1760946660",
    "arn": "arn:aws:health:us-east-1::event/MULTIPLE_SERVICES/AWS_MULTIPLE_SERVICES_OPERATIONAL_ISSUE/X",
    "region_name": "N. Virginia",
    "status": "3",
    "service": "multipleservices-us-east-1",
    "service_name": "Multiple services (N. Virginia)",
    "summary": "Increased Error Rates and Latencies",
    "event_log": [{"summary": "…", "message": "We are investigating…", "status": 2, "timestamp": 1760946660}],
    "impacted_services": {"dynamodb-us-east-1": {"service_name": "Amazon DynamoDB", "current": "3"}},
}
OPEN_INCIDENT: dict[str, Any] = {
    "id": "ow5i3PPK96RduMcb1SsW",
    "begin": "2025-06-12T17:51:00+00:00",
    "external_desc": "Multiple GCP products are experiencing Service issues.",
    "status_impact": "SERVICE_OUTAGE",
    "severity": "high",
    "service_name": "Multiple Products",
    "most_recent_update": {"status": "SERVICE_OUTAGE", "text": "…", "affected_locations": []},
    "currently_affected_locations": [{"title": "Iowa (us-central1)", "id": "us-central1"}],
}
RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss xmlns:a10="http://www.w3.org/2005/Atom" version="2.0"><channel><title>Azure Status</title>%s</channel></rss>"""


def locations(found: Incidents) -> list[set[str]]:
    return [set(each.locations) for each in found.found]


def aws(*events: object, encoding: str = "utf-16") -> Incidents:
    return incidents_in("AWS", json.dumps(events).encode(encoding))


def google(*incidents: object) -> Incidents:
    return incidents_in("Google", json.dumps(incidents).encode())


def azure(*items: str) -> Incidents:
    return incidents_in("Azure", (RSS % "".join(items)).encode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8", "utf-8-sig"])
def test_amazon_writes_its_events_in_utf_16_either_way_round(encoding: str) -> None:
    found = aws(OPEN_EVENT, encoding=encoding)
    assert locations(found) == [{"us-east-1"}]
    assert found.found[0].summary == "Increased Error Rates and Latencies"


@pytest.mark.parametrize(
    "over", [{"status": "0"}, {"status": 0}, {"end_time": "1760990000"}, {"endTime": "2025-10-20T22:01:00Z"}]
)
def test_an_event_that_is_over_is_none(over: dict[str, Any]) -> None:
    assert aws(OPEN_EVENT | over) == Incidents()


def test_an_event_is_in_the_regions_of_the_services_that_it_affects() -> None:
    event = OPEN_EVENT | {"arn": "", "service": "ec2-us-gov-west-1", "impacted_services": {"s3-eu-south-2": {}}}
    assert locations(aws(event)) == [{"us-gov-west-1", "eu-south-2"}]


def test_an_event_of_no_region_is_none() -> None:
    event = OPEN_EVENT | {"arn": "arn:aws:health:global::event/IAM/X/Y", "service": "iam", "impacted_services": {}}
    assert aws(event) == Incidents()


def test_an_incident_of_google_is_open_while_it_has_no_end() -> None:
    assert locations(google(OPEN_INCIDENT, OPEN_INCIDENT | {"end": "2025-06-13T01:18:00+00:00"})) == [{"us-central1"}]


def test_zones_are_of_their_region_and_what_is_everywhere_is_nowhere() -> None:
    places = [{"id": "europe-west3-a"}, {"id": "global"}, {"id": "us-east1"}]
    assert locations(google(OPEN_INCIDENT | {"currently_affected_locations": places})) == [{"europe-west3", "us-east1"}]
    assert google(OPEN_INCIDENT | {"currently_affected_locations": [{"id": "global"}]}) == Incidents()


def test_older_incidents_have_their_places_in_the_last_update() -> None:
    update = {"status": "SERVICE_DISRUPTION", "affected_locations": [{"id": "us-west1"}]}
    incident = OPEN_INCIDENT | {"currently_affected_locations": [], "most_recent_update": update}
    assert locations(google(incident)) == [{"us-west1"}]


@pytest.mark.parametrize(
    "change", [{"status_impact": "SERVICE_INFORMATION"}, {"most_recent_update": {"status": "AVAILABLE"}}]
)
def test_a_notice_is_no_incident(change: dict[str, Any]) -> None:
    assert google(OPEN_INCIDENT | change) == Incidents()


def test_microsoft_says_in_words_where_something_is_wrong() -> None:
    item = (
        "<item><title>Storage - West Europe - Investigating</title>"
        "<description>&lt;p&gt;Customers in &lt;b&gt;West&lt;/b&gt; Europe…&lt;/p&gt;</description></item>"
    )
    found = azure(item, "<item><title>Mitigated - Networking - East US</title></item>").found
    assert [each.summary for each in found] == ["Storage - West Europe - Investigating"]
    assert not found[0].locations
    assert "<" not in found[0].text
    assert azure() == Incidents()


NAMES = st.sampled_from(sorted({*OPEN_EVENT, *OPEN_INCIDENT}))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">'
    "]><rss><channel><item><title>&b;</title></item></channel></rss>"
)
FILE = (
    '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    "<rss><channel><item><title>&f;</title></item></channel></rss>"
)


@pytest.mark.parametrize(
    ("cloud", "body"),
    [
        ("AWS", b""),
        ("AWS", b"\xfe\xff\xd8"),
        ("AWS", b"<html>Service Unavailable</html>"),
        ("AWS", b'{"events": []}'),
        ("AWS", b"[" * 100_000),
        ("Google", b"\xff\xff"),
        ("Google", b"null"),
        ("Azure", b""),
        ("Azure", b"<html><body>Sorry</body></html>"),
        ("Azure", b"<rss><channel>"),
        ("Azure", BOMB.encode()),
        ("Azure", FILE.encode()),
    ],
)
def test_what_is_none_of_that_is_no_good_news(cloud: str, body: bytes) -> None:
    with pytest.raises(UnreadableFeedError):
        incidents_in(cloud, body)


@pytest.mark.parametrize(
    "odd",
    [
        {"arn": 7, "service": None, "impacted_services": []},
        {"status": None, "summary": {"a": 1}},
        {"impacted_services": {"": None, "x": 1}},
    ],
)
def test_an_odd_event_costs_no_other_its_place(odd: dict[str, Any]) -> None:
    found = aws(OPEN_EVENT | odd, None, 3, "x", OPEN_EVENT)
    assert {"us-east-1"} in locations(found)


@pytest.mark.parametrize(
    "odd",
    [
        {"currently_affected_locations": "everywhere"},
        {"currently_affected_locations": [None, 3, {"id": 4}]},
        {"most_recent_update": [], "external_desc": None},
    ],
)
def test_an_odd_incident_costs_no_other_its_place(odd: dict[str, Any]) -> None:
    assert {"us-central1"} in locations(google(OPEN_INCIDENT | odd, None, [], OPEN_INCIDENT))


@given(VALUES)
def test_no_json_breaks_the_reading(value: object) -> None:
    for cloud in ("AWS", "Google"):
        with contextlib.suppress(UnreadableFeedError):
            assert isinstance(incidents_in(cloud, json.dumps([value]).encode()), Incidents)


@given(st.binary(max_size=200), st.sampled_from(["AWS", "Azure", "Google"]))
def test_no_bytes_break_it(body: bytes, cloud: str) -> None:
    with contextlib.suppress(UnreadableFeedError):
        assert isinstance(incidents_in(cloud, body), Incidents)


def test_no_more_are_looked_at_than_matter() -> None:
    assert len(aws(*[OPEN_EVENT] * (MOST_INCIDENTS + 50)).found) == MOST_INCIDENTS
