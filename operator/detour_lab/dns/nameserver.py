"""An authoritative name server for the lab's zones: questions, dynamic updates, transfers, and faults on demand.

    message ── read ── signature judged ── zone found ── faults ── QUERY, AXFR or UPDATE ── answer, signed if asked so

Questions are answered from what each zone's store serves, so `store.lag` delays them; updates and transfers see the
newest state. Without a fault in force a datagram is answered at once, in the callback that receives it.

What faults (`detour_lab.faults`) mean here, for the operations QUERY, AXFR, UPDATE and PREREQUISITES (an UPDATE
that consists of them alone) on a zone's domain: LATENCY delays, HANG does so until the fault is removed, SERVER_ERROR
says SERVFAIL, THROTTLE REFUSED; the resets break a TCP connection and leave a datagram without an answer, before or
after an update is applied; APPLY_LATE applies it later.
A server that is down is one that was stopped: `start` takes the same port again.
"""

import asyncio
import functools
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig

from detour_lab.dns.answer import Answer, answer
from detour_lab.dns.response import room, write_format_error, write_response
from detour_lab.dns.sockets import DNSSockets, Replies
from detour_lab.dns.transfer import current_soa, is_current, transfer
from detour_lab.dns.tsig import Signature, judge
from detour_lab.dns.update import UPDATES, UpdateRefused, apply_update
from detour_lab.dns.wire import FormatError, Request, read_request
from detour_lab.faults import Fault, FaultKind, Faults
from detour_lab.zones.store import ZoneStore

logger = logging.getLogger(__name__)

TRANSFERS = (dns.rdatatype.AXFR, dns.rdatatype.IXFR)


@dataclass(frozen=True, slots=True)
class _Zone:
    store: ZoneStore
    key: dns.tsig.Key | None = field(repr=False)
    answers_only: bool = False

    def admits(self, signature: Signature | None) -> bool:
        """Tell whether who signed so (or not at all) may update and transfer the zone."""
        return self.key is None or (signature is not None and signature.key == self.key)


@dataclass(frozen=True, slots=True)
class _Call:
    """One request with what was found out about it. `stream` is TCP."""

    request: Request
    stream: bool
    signature: Signature | None
    zone: _Zone | None

    @property
    def operation(self) -> str:
        if self.request.opcode == dns.opcode.UPDATE:
            return "UPDATE" if any(each.section == UPDATES for each in self.request.records) else "PREREQUISITES"
        return "AXFR" if self.is_transfer else "QUERY"

    @property
    def is_transfer(self) -> bool:
        asks_transfer = self.request.opcode == dns.opcode.QUERY and self.request.type in TRANSFERS
        # By datagram an IXFR gets the SOA, and so an invitation to come by TCP (RFC 1995 §2).
        return asks_transfer and (self.stream or self.request.type == dns.rdatatype.AXFR)

    def reply(self, content: Answer) -> tuple[bytes]:
        """Return the one message that says `content`, signed where the request was."""
        limit = room(self.request, stream=self.stream)
        if self.signature is None:
            return (write_response(self.request, content, limit=limit),)
        return (self.signature.sign(write_response(self.request, content, limit=limit - self.signature.size)),)

    def refuse(self, rcode: dns.rcode.Rcode) -> tuple[bytes]:
        return self.reply(Answer(rcode, authoritative=False))


class NameServer:
    """Serves `zones` on `host`, where port 0 takes a free one.

    `keys` gives, by domain, the TSIG key that updates and transfers of that zone must be signed with; a zone without
    one is open to anybody who reaches it. With `answers_only` every zone is like one of a cloud, whose servers transfer
    and update for nobody: a transfer is REFUSED (RFC 5936 §2.2.1), and UPDATE is no opcode that they know (NOTIMP,
    RFC 1035 §4.1.1). `refuse_names` are canonical names whose updates are REFUSED; it may be changed at any time.
    `clock` (seconds since the Unix epoch) is what signatures are judged by.
    """

    def __init__(
        self,
        zones: Iterable[ZoneStore] | Mapping[str, ZoneStore] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        keys: Mapping[str, dns.tsig.Key] | None = None,
        faults: Faults | None = None,
        refuse_names: Iterable[str] = (),
        answers_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.faults = faults or Faults()
        self.refuse_names = set(refuse_names)
        self._answers_only = answers_only
        self._clock = clock
        self._zones: dict[str, _Zone] = {}
        self._sockets = DNSSockets(self._handle, host, port)
        for store in zones.values() if isinstance(zones, Mapping) else zones:
            self.add_zone(store, key=(keys or {}).get(store.domain))

    @property
    def address(self) -> str:
        """Where the server listens, as `address:port` (`[address]:port` for IPv6); the port is known after `start`."""
        host = f"[{self._sockets.host}]" if ":" in self._sockets.host else self._sockets.host
        return f"{host}:{self._sockets.port}"

    @property
    def host(self) -> str:
        return self._sockets.host

    @property
    def port(self) -> int:
        return self._sockets.port

    def add_zone(self, store: ZoneStore, *, key: dns.tsig.Key | None = None) -> None:
        """Serve one more zone from now on, in the place of one of the same domain."""
        self._zones[store.domain] = _Zone(store, key, self._answers_only)

    def remove_zone(self, domain: str) -> None:
        """Stop serving a zone: questions about it are REFUSED. Raises KeyError for one that isn't served."""
        del self._zones[domain]

    async def start(self) -> None:
        """Listen on UDP and TCP. Raises OSError where the port is taken."""
        await self._sockets.start()

    async def stop(self) -> None:
        """Stop listening, drop every connection, and cancel answers and late updates that are still to come."""
        await self._sockets.stop()

    def _handle(self, wire: bytes, stream: bool) -> Replies | Coroutine[Any, Any, Replies]:
        try:
            request = read_request(wire)
            keys = [zone.key for zone in self._zones.values() if zone.key is not None]
            signature = judge(request, keys, self._clock)
        except FormatError:
            reply = write_format_error(wire)
            return () if reply is None else (reply,)
        if request.flags & dns.flags.QR:
            return ()
        call = _Call(request, stream, signature, self._find_zone(request))
        if signature is not None and not signature.holds:
            return call.refuse(dns.rcode.NOTAUTH)
        drawn = self.faults.draw(call.operation, call.zone.store.domain if call.zone is not None else request.name)
        return self._under_faults(call, drawn) if drawn else self._work(call)

    def _find_zone(self, request: Request) -> _Zone | None:
        name = request.name
        if request.opcode == dns.opcode.UPDATE:
            return self._zones.get(name)
        while name:
            if name in self._zones:
                return self._zones[name]
            name = name.partition(".")[2]
        return None

    async def _under_faults(self, call: _Call, faults: Iterable[Fault]) -> Replies:
        drawn = {fault.kind: fault for fault in faults}
        if latency := drawn.get(FaultKind.LATENCY):
            await asyncio.sleep(latency.seconds)
        if hang := drawn.get(FaultKind.HANG):
            await hang.over.wait()
        if FaultKind.THROTTLE in drawn:
            return call.refuse(dns.rcode.REFUSED)
        if FaultKind.SERVER_ERROR in drawn:
            return call.refuse(dns.rcode.SERVFAIL)
        if FaultKind.RESET_BEFORE in drawn:
            return None
        if late := drawn.get(FaultKind.APPLY_LATE):
            self._sockets.spawn(self._work_late(call, late.seconds))
            return None
        replies = self._work(call)
        return None if FaultKind.RESET_AFTER in drawn else replies

    async def _work_late(self, call: _Call, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._work(call)

    def _work(self, call: _Call) -> Iterable[bytes]:
        try:
            return self._respond(call)
        except FormatError:
            return call.refuse(dns.rcode.FORMERR)
        except UpdateRefused as refusal:
            return call.refuse(refusal.rcode)
        except Exception:
            logger.exception("no answer for %s %s", call.operation, call.request.name)
            return call.refuse(dns.rcode.SERVFAIL)

    def _respond(self, call: _Call) -> Iterable[bytes]:
        request, zone = call.request, call.zone
        if request.edns_version:
            return call.refuse(dns.rcode.BADVERS)
        if request.opcode == dns.opcode.UPDATE:
            return self._update(call)
        if request.opcode != dns.opcode.QUERY:
            return call.refuse(dns.rcode.NOTIMP)
        if zone is None or request.rrclass not in (dns.rdataclass.IN, dns.rdataclass.ANY):
            return call.refuse(dns.rcode.REFUSED)
        if call.is_transfer:
            return self._transfer(call, zone)
        rrtype = (
            "SOA"
            if request.type == dns.rdatatype.IXFR
            else dns.rdatatype.to_text(dns.rdatatype.RdataType.make(request.type))
        )
        return call.reply(answer(zone.store.served_index(), zone.store.domain, request.name, rrtype))

    def _transfer(self, call: _Call, zone: _Zone) -> Iterable[bytes]:
        if not call.stream:
            raise FormatError("a zone is transferred over TCP")  # RFC 5936 §4.2
        if call.request.name != zone.store.domain:
            return call.refuse(dns.rcode.NOTAUTH)
        if zone.answers_only or not zone.admits(call.signature):
            return call.refuse(dns.rcode.REFUSED)
        if call.request.type == dns.rdatatype.IXFR and is_current(call.request, zone.store):
            return call.reply(current_soa(zone.store))
        messages = transfer(call.request, zone.store)
        if call.signature is None:
            return messages
        return map(functools.partial(call.signature.sign, more=True), messages)

    def _update(self, call: _Call) -> Iterable[bytes]:
        request, zone = call.request, call.zone
        if zone is not None and zone.answers_only:
            raise UpdateRefused(dns.rcode.NOTIMP)
        if request.type != dns.rdatatype.SOA:
            raise FormatError("the zone section names a zone by its SOA")  # RFC 2136 §3.1.1
        if zone is None or request.rrclass != dns.rdataclass.IN:
            raise UpdateRefused(dns.rcode.NOTAUTH)
        if not zone.admits(call.signature):
            raise UpdateRefused(dns.rcode.REFUSED)
        by = "update unsigned" if call.signature is None else f"update {call.signature.owner}"
        apply_update(request, zone.store, by=by, refuse_names=self.refuse_names)
        return call.refuse(dns.rcode.NOERROR)
