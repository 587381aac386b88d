"""The DNS check: the target, as a name server, answers a question as expected.

Asked over UDP, and over TCP where the answer comes truncated (`enactment.exchange`).
"""

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.ANY.TXT import TXT

from detour.checks.failures import ProbeFailedError, ProbeImpossibleError, Reason, connection_failure, place
from detour.enactment.exchange import exchange
from detour.model.checks import DNSCheck

_FAILURES = {
    dns.rcode.NXDOMAIN: (Reason.NAME_NOT_FOUND, "says that {name} does not exist"),
    dns.rcode.SERVFAIL: (Reason.SERVER_FAILURE, "answered SERVFAIL for {name}"),
    dns.rcode.REFUSED: (Reason.QUERY_REFUSED, "refused the question for {name}"),
}


async def probe_dns(address: str, check: DNSCheck) -> None:
    """Ask once, recursion desired. The deadline is the caller's.

    Raises ProbeFailedError or ProbeImpossibleError.
    """
    where = place(address, check.port)
    query = _query(check)
    expected = {_comparable(value, query) for value in check.expected_answers}
    try:
        response = await exchange(query, address, check.port)
    except OSError as error:
        raise connection_failure(error, address, check.port) from error
    except EOFError as error:
        raise connection_failure(ConnectionResetError(), address, check.port) from error
    except dns.exception.DNSException as error:
        raise ProbeFailedError(Reason.PROTOCOL_ERROR, f"{where} did not answer in valid DNS") from error
    _judge(response, expected, check, where)


def _query(check: DNSCheck) -> dns.message.QueryMessage:
    try:
        return dns.message.make_query(dns.name.from_text(check.name), check.type)
    except (dns.exception.DNSException, ValueError) as error:
        message = f"the DNS check asks for {check.name!r} {check.type!r}, which is no valid name and type"
        raise ProbeImpossibleError(Reason.INVALID_CHECK, message) from error


def _comparable(value: str, query: dns.message.QueryMessage) -> object:
    """Return an expected value in the form in which `_answer` gives those received."""
    rdtype = query.question[0].rdtype
    if rdtype == dns.rdatatype.TXT:
        return value.encode()
    try:
        return dns.rdata.from_text(dns.rdataclass.IN, rdtype, value, origin=dns.name.root, relativize=False)
    except (dns.exception.DNSException, ValueError) as error:
        message = f"the DNS check expects {value!r}, which is no value of type {dns.rdatatype.to_text(rdtype)}"
        raise ProbeImpossibleError(Reason.INVALID_CHECK, message) from error


def _answer(rdata: dns.rdata.Rdata) -> object:
    return b"".join(rdata.strings) if isinstance(rdata, TXT) else rdata


def _judge(response: dns.message.Message, expected: set[object], check: DNSCheck, where: str) -> None:
    rcode = response.rcode()
    if rcode in _FAILURES:
        reason, words = _FAILURES[rcode]
        raise ProbeFailedError(reason, f"{where} {words.format(name=check.name)}")
    if rcode != dns.rcode.NOERROR or not isinstance(response, dns.message.QueryMessage):
        message = f"{where} answered {dns.rcode.to_text(rcode)} for {check.name}"
        raise ProbeFailedError(Reason.PROTOCOL_ERROR, message)
    try:
        rrset = response.resolve_chaining().answer
    except dns.exception.DNSException as error:
        raise ProbeFailedError(Reason.PROTOCOL_ERROR, f"{where} answered with a broken CNAME chain") from error
    answers = {_answer(rdata) for rdata in rrset} if rrset is not None else set()
    if len(answers) < max(check.minimum_answers, 1):
        message = (
            f"{where} gave {len(answers)} {check.type} answers for {check.name}, "
            f"expected at least {max(check.minimum_answers, 1)}"
        )
        raise ProbeFailedError(Reason.NO_ANSWERS, message)
    if missing := len(expected - answers):
        message = f"{where} left out {missing} of the {len(expected)} {check.type} answers expected for {check.name}"
        raise ProbeFailedError(Reason.UNEXPECTED_ANSWERS, message)
