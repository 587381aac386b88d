"""Why a server refused, in words that name the cause as far as it can be told. Pure."""

import re

import dns.rcode

from detour.enactment.contract import Batch
from detour.model.rrset import RRset, RRType

REFUSALS = {
    dns.rcode.FORMERR: "the server does not understand it: see its log",
    dns.rcode.NXRRSET: "a set does not have the values that it was expected to have",
    dns.rcode.YXRRSET: "a set that was to be created exists",
    dns.rcode.YXDOMAIN: "a name that was to be created exists",
    dns.rcode.NXDOMAIN: "a name that was expected does not exist",
    dns.rcode.NOTZONE: "a name lies outside of the zone",
    dns.rcode.NOTIMP: "the server does not take dynamic updates: allow them for this zone",
}
"""Codes with which a server says that it applied nothing (RFC 2136 §2.2); REFUSED has causes of its own."""

NAMES_TOLD = 3

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def is_refusal(code: dns.rcode.Rcode) -> bool:
    """Tell whether `code` says for certain that nothing was applied."""
    return code == dns.rcode.REFUSED or code in REFUSALS


def why(code: dns.rcode.Rcode, batch: Batch) -> str:
    """Return why the update of `batch` may have been refused with `code`."""
    if code != dns.rcode.REFUSED:
        return REFUSALS[code]
    odd = sorted({change.key.name for change in batch.changes if change.new and not _may_have_addresses(change.new)})
    if odd:
        return (
            f"BIND takes addresses only at names of letters, digits and hyphens (check-names), which {_told(odd)} is "
            "not: give the record another hostname, or set check-names to ignore for this zone"
        )
    names = sorted({change.key.name for change in batch.changes} or {batch.ledger.key.name})
    return (
        f"either the server's policy does not let this key change {_told(names)} (allow-update, update-policy, acl), "
        "or the server does not take what is to stand there: its log says which"
    )


def _may_have_addresses(rrset: RRset) -> bool:
    """Tell whether an address may stand at the set's name by the rules for host names (RFC 1123 §2.1)."""
    if rrset.type not in (RRType.A, RRType.AAAA):
        return True
    labels = rrset.name.removeprefix("*.").split(".")
    return all(_LABEL.fullmatch(each) for each in labels)


def _told(names: list[str]) -> str:
    rest = len(names) - NAMES_TOLD
    return ", ".join(names[:NAMES_TOLD]) + (f" and {rest} more" if rest > 0 else "")
