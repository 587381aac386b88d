"""Zone transfers: a whole zone in as many messages as it needs (AXFR, RFC 5936).

What is transferred is the newest state, as a primary holds it, also while its answers lag: for a server that is
updated by RFC 2136 a transfer is what reading through the API is at a cloud. The SOA stands first and last.
"""

from collections.abc import Iterator

import dns.flags

from detour_lab.dnsanswer import ALIAS, wire_set
from detour_lab.dnstsig import ROOM
from detour_lab.dnswire import HEADER, MAXIMUM_MESSAGE, OPCODE_MASK, Request, WireSet, write_set
from detour_lab.store import ZoneStore

RECORDS_PER_MESSAGE = 500


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
