"""Whatever a client sends, an emulator takes it or refuses it in the service's words; it never fails on it (500).

And whatever it takes, the name server can put on the wire: a zone that clients have filled can be asked for.
"""

import contextlib
import json
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour_lab.clouds.clouddns import change as clouddns_change
from detour_lab.clouds.clouddns.errors import APIError as CloudDNSError
from detour_lab.clouds.clouddns.request import TYPES as CLOUDDNS_TYPES
from detour_lab.clouds.clouddns.request import parse_change, parse_record_set
from detour_lab.clouds.route53 import Account
from detour_lab.clouds.route53.batch import review
from detour_lab.clouds.route53.document import NAMESPACE
from detour_lab.clouds.route53.errors import APIError as Route53Error
from detour_lab.clouds.route53.listing import record_sets
from detour_lab.clouds.route53.request import TYPES as ROUTE53_TYPES
from detour_lab.clouds.route53.request import parse_change_batch
from detour_lab.dns.answer import answer
from detour_lab.dns.wire import write_name, write_set
from detour_lab.zones.store import ZoneStore

DOMAIN = "example.org"
ROOT = "ChangeResourceRecordSetsRequest"
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F), max_size=30)
LABELS = st.sampled_from(["a", "*", r"\052", r"\056", r"\303\251", r"\000", "a$b", 'a"b', "\\", "é", " ", "", "x" * 64])
NAMES = st.lists(LABELS, max_size=3).map(lambda labels: ".".join([*labels, DOMAIN]))
DATA = st.sampled_from(
    [
        *("192.0.2.1", "2001:db8::1", "lb.example.net", "lb.example.net.", ".", "..", "0 issue ca.example", '"x"'),
        *('"\\303"', '"', "10 mx.example.net.", "1 2 3 a.example.", "1 . alpn=h2 ech=AA==", "1 . ech=?", "\\# 1 00"),
        *("1 2 3 aa", "8 1 2 ab", '1 2 "s" "x" "" .', "a b c d 1 2 3 4 5", "ns. host. 1 2 3 4 5", r"a\000b.example."),
    ]
)
VALUES = st.lists(DATA | PRINTABLE, min_size=1, max_size=2)


def served(store: ZoneStore) -> None:
    """Ask for everything in `store`, as a transfer and questions would."""
    index = store.served_index()
    for each in store.all():
        write_name(each.name)
        for rrtype in ("ANY", "A", each.type):
            found = answer(index, DOMAIN, each.name, rrtype)
            for part in (*found.answer, *found.authority, *found.additional):
                write_set(part)


@given(name=NAMES, rrtype=st.sampled_from(sorted(ROUTE53_TYPES)), values=VALUES, extra=st.sampled_from(["", "W", "A"]))
def test_route53_takes_or_refuses_any_set(name: str, rrtype: str, values: list[str], extra: str) -> None:
    store = ZoneStore(DOMAIN)
    records = "".join(f"<ResourceRecord><Value>{escape(each)}</Value></ResourceRecord>" for each in values)
    content = f"<TTL>60</TTL><ResourceRecords>{records}</ResourceRecords>"
    if extra == "W":
        content += "<SetIdentifier>x</SetIdentifier><Weight>1</Weight>"
    if extra == "A":
        target = f"<DNSName>{escape(name)}</DNSName><EvaluateTargetHealth>true</EvaluateTargetHealth>"
        content = f"<AliasTarget><HostedZoneId>Z1</HostedZoneId>{target}</AliasTarget>"
    record_set = f"<ResourceRecordSet><Name>{escape(name)}</Name><Type>{rrtype}</Type>{content}</ResourceRecordSet>"
    changes = f"<ChangeBatch><Changes><Change><Action>UPSERT</Action>{record_set}</Change></Changes></ChangeBatch>"
    body = f'<{ROOT} xmlns="{NAMESPACE}">{changes}</{ROOT}>'.encode()
    with contextlib.suppress(Route53Error):
        accepted = review(store, "Z1", parse_change_batch(body).changes, Account())
        store.commit(removed=accepted.removed, added=accepted.added, by="test")
    record_sets(store, {})
    served(store)


POLICY_FIELDS = st.sampled_from(["wrr", "geo", "items", "kind"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | PRINTABLE | DATA | NAMES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(POLICY_FIELDS, inner),
    max_leaves=5,
)
FIELDS = st.fixed_dictionaries(
    {
        "name": NAMES.map("{}.".format),
        "type": st.sampled_from(sorted(CLOUDDNS_TYPES)),
        "ttl": st.just(60) | JSON_VALUES,
    },
    optional={"rrdatas": VALUES | JSON_VALUES, "routingPolicy": JSON_VALUES, "kind": JSON_VALUES},
)


@given(content=FIELDS | JSON_VALUES)
def test_cloud_dns_takes_or_refuses_any_set(content: Any) -> None:
    store = ZoneStore(DOMAIN)
    with contextlib.suppress(CloudDNSError):
        parse_record_set(json.dumps(content).encode())
    with contextlib.suppress(CloudDNSError):
        asked = parse_change(json.dumps({"additions": [content]}).encode())
        clouddns_change.review(store, asked, 100)
        store.commit(added=asked.additions, by="test")
    served(store)


@pytest.mark.parametrize("name", ["a..example.org", "x" * 64 + ".example.org"])
def test_the_check_itself_notices_what_cannot_be_served(name: str) -> None:
    with pytest.raises(Exception, match=r"(?i)label"):
        write_name(name)
