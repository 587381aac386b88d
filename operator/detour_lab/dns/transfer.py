"""Zone transfers: a whole zone in as many messages as it needs (AXFR, RFC 5936).

What is transferred is the newest state, as a primary holds it, also while its answers lag: for a server that is
updated by RFC 2136 a transfer is what reading through the API is at a cloud. The SOA stands first and last.

Who asks for what has changed since a serial (IXFR, RFC 1995) gets the SOA alone where nothing has (§2), else the whole
zone, as §4 allows a server that keeps no history.
"""

from collections.abc import Iterator

import dns.flags
import dns.rdtypes.ANY.SOA

from detour_lab.dns.answer import ALIAS, Answer, current_serial, wire_set
from detour_lab.dns.tsig import ROOM
from detour_lab.dns.wire import (
    HEADER,
    MAXIMUM_MESSAGE,
    OPCODE_MASK,
    FormatError,
    Request,
    WireSet,
    read_data,
    write_set,
)
from detour_lab.zones.store import ZoneStore

RECORDS_PER_MESSAGE = 500
AUTHORITY = 2


def transfer(request: Request, store: ZoneStore) -> Iterator[bytes]:
    """Yield the messages of a transfer of `store`'s zone as it is now, unsigned, with room for a signature in each.

    Commits made while it goes on are not in it.
    """
    flags = dns.flags.QR | dns.flags.AA | (request.flags & (OPCODE_MASK | dns.flags.RD))
    batch: list[bytes] = []
    size = 0
    for record in _records(store, request.question):
        room = MAXIMUM_MESSAGE - ROOM - HEADER.size - len(request.question)
        if batch and (size + len(record) > room or len(batch) == RECORDS_PER_MESSAGE):
            yield _message(request, flags, batch)
            batch, size = [], 0
        batch.append(record)
        size += len(record)
    yield _message(request, flags, batch)


def is_current(request: Request, store: ZoneStore) -> bool:
    """Tell whether the serial that an IXFR gives is not older than the zone's. Raises FormatError where it gives none.

    BIND and Knot answer FORMERR as well to an IXFR without a SOA in its authority section (§3).
    """
    soa = next((each for each in request.records if each.section == AUTHORITY), None)
    known = read_data(request, soa) if soa is not None else None
    if not isinstance(known, dns.rdtypes.ANY.SOA.SOA):
        raise FormatError("an incremental transfer needs the SOA that is known")
    index = store.newest_index()
    served = current_serial(index, index.sets[(store.domain, "SOA")])
    return not 0 < (served - known.serial) % 2**32 < 2**31  # greater in the sense of RFC 1982 §3.2


def current_soa(store: ZoneStore) -> Answer:
    """Return the answer to who is up to date."""
    index = store.newest_index()
    return Answer(answer=(wire_set(index, index.sets[(store.domain, "SOA")]),))


def _records(store: ZoneStore, question: bytes) -> Iterator[bytes]:
    index = store.newest_index()
    snapshot = store.all()
    soa = write_set(wire_set(index, index.sets[(store.domain, "SOA")]), question)
    yield soa
    for stored in snapshot:
        if stored.key == (store.domain, "SOA") or stored.type == ALIAS:
            continue
        whole = wire_set(index, stored)
        for data in whole.data:
            yield write_set(WireSet(whole.name, whole.type, whole.ttl, (data,)), question)
    yield soa


def _message(request: Request, flags: int, records: list[bytes]) -> bytes:
    return HEADER.pack(request.id, flags, 1, len(records), 0, 0) + request.question + b"".join(records)
