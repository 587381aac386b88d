"""Names of regional services: they answer, answer nothing, or do not exist."""

from collections.abc import AsyncIterator

import dns.asyncquery
import dns.message
import dns.rcode
import pytest

from detour_lab.dns.nameserver import NameServer
from detour_lab.services.names import ServiceNames

NAME = "dynamodb.us-east-1.amazonaws.test"


@pytest.fixture
def names() -> ServiceNames:
    names = ServiceNames("amazonaws.test")
    names.set_addresses(NAME, "127.0.1.1", "::1")
    return names


@pytest.fixture
async def server(names: ServiceNames) -> AsyncIterator[NameServer]:
    server = NameServer([names.store])
    await server.start()
    yield server
    await server.stop()


async def ask(server: NameServer, rrtype: str) -> tuple[dns.rcode.Rcode, list[str]]:
    query = dns.message.make_query(NAME, rrtype)
    response = await dns.asyncquery.udp(query, server.host, port=server.port, timeout=60)
    return response.rcode(), sorted(rdata.to_text() for each in response.answer for rdata in each)


async def test_a_name_answers_with_its_addresses_by_family(server: NameServer) -> None:
    assert await ask(server, "A") == (dns.rcode.NOERROR, ["127.0.1.1"])
    assert await ask(server, "AAAA") == (dns.rcode.NOERROR, ["::1"])


async def test_other_addresses_take_the_place_of_all_before(server: NameServer, names: ServiceNames) -> None:
    names.set_addresses(NAME, "127.0.1.2", "127.0.1.3")
    assert await ask(server, "A") == (dns.rcode.NOERROR, ["127.0.1.2", "127.0.1.3"])
    assert await ask(server, "AAAA") == (dns.rcode.NOERROR, [])


async def test_a_vanished_name_exists_and_answers_nothing(server: NameServer, names: ServiceNames) -> None:
    names.vanish(NAME)
    assert await ask(server, "A") == (dns.rcode.NOERROR, [])
    assert await ask(server, "AAAA") == (dns.rcode.NOERROR, [])
    names.set_addresses(NAME, "127.0.1.1")
    assert await ask(server, "A") == (dns.rcode.NOERROR, ["127.0.1.1"])


async def test_a_removed_name_does_not_exist(server: NameServer, names: ServiceNames) -> None:
    names.vanish(NAME)
    names.remove(NAME)
    assert await ask(server, "A") == (dns.rcode.NXDOMAIN, [])


@pytest.mark.parametrize(
    ("hostname", "addresses"),
    [(NAME, ()), (NAME, ("not an address",)), ("api.example.com", ("127.0.0.1",)), ("amazonaws.test", ("127.0.0.1",))],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    server: NameServer, names: ServiceNames, hostname: str, addresses: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r"give addresses|does not appear|not a name below"):
        names.set_addresses(hostname, *addresses)
    assert await ask(server, "A") == (dns.rcode.NOERROR, ["127.0.1.1"])
