"""Endpoints that are known by a hostname: where it may lead, and how the judges see them.

A load balancer's name leads to one of two addresses, and to the other one after it has moved; only where it leads
works. To a judge such an endpoint is one of both addresses, of which one fails: what a hostname leads to is then no
riddle of its own. Where the hostname itself is published it works, or fails, as what it leads to does.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from detour.model.record import Publish, Record

SUFFIX = ".example.net"

MOST_RECORDS, MOST_PLACES = 4, 4
"""More than any schedule has."""

LOOKED_UP_EVERY = 6.0
"""Seconds within which a hostname is looked up again: its TTL, and the question."""


def hostname_of(number: int, place: int) -> str:
    """Return the hostname of a record's endpoint."""
    return f"lb{number}-{place}{SUFFIX}"


def pool(hostname: str) -> tuple[str, str]:
    """Return the addresses that a hostname may lead to, the one where it begins first."""
    number, _, place = hostname.removesuffix(SUFFIX).removeprefix("lb").partition("-")
    return f"192.0.2.{60 + 10 * int(number) + int(place)}", f"192.0.2.{200 + 10 * int(number) + int(place)}"


def hostname_that_may_lead_to(address: str) -> str | None:
    """Return the hostname whose pool an address is of, None where it is of none."""
    for number in range(1, MOST_RECORDS + 1):
        for place in range(1, MOST_PLACES + 1):
            if address in pool(hostname_of(number, place)):
                return hostname_of(number, place)
    return None


def addresses_of(endpoint: Mapping[str, Any]) -> list[str]:
    """Return the addresses that an endpoint of a spec has, or may lead to."""
    return list(endpoint["addresses"]) if "addresses" in endpoint else list(pool(endpoint["hostname"]))


def as_judged(record: Record) -> Record:
    """Return a record with addresses in place of hostnames; what changes behind one is seen a look-up later."""
    if all(each.hostname is None for each in record.endpoints):
        return record
    is_canonical = record.publish is Publish.CNAME
    endpoints = tuple(
        each
        if each.hostname is None
        else replace(each, hostname=None, addresses=(each.hostname,) if is_canonical else pool(each.hostname))
        for each in record.endpoints
    )
    timing = replace(record.timing, interval=record.timing.interval + LOOKED_UP_EVERY)
    return replace(record, endpoints=endpoints, timing=timing)
