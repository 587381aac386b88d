"""TSIG Secrets as people have them: taken as BIND's own tools would, or refused by the part that is wrong."""

import base64

import dns.tsig
import pytest

from detour.enactment.contract import CredentialsRefusedError
from detour.providers.rfc2136.keyfiles import key_in
from detour.providers.rfc2136.keys import key_from

OCTETS = bytes(range(32))
SECRET = base64.b64encode(OCTETS).decode()
LONG = base64.b64encode(bytes(range(64))).decode()
BYTE_ORDER_MARK = "\ufeff"

STATEMENT = f'key "detour" {{\n\talgorithm hmac-sha512;\n\tsecret "{SECRET}";\n}};\n'
KNOT = f"# hmac-sha512:detour:{SECRET}\nkey:\n  - id: detour\n    algorithm: hmac-sha512\n    secret: {SECRET}\n"


def key(**parts: str) -> dns.tsig.Key:
    found = key_from(parts)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "parts",
    [
        {"keyName": "detour", "secret": SECRET},
        {"keyName": "detour.\n", "secret": f"{SECRET}\n", "algorithm": "hmac-sha256\n"},
        {"keyName": "DETOUR.", "secret": SECRET, "algorithm": "HMAC-SHA256."},
        {"keyName": "detour", "secret": SECRET, "algorithm": "HMACSHA256"},
        {"keyName": "detour", "secret": SECRET, "algorithm": ""},
        {"keyName": '"detour"', "secret": f'"{SECRET}"', "algorithm": '"hmac-sha256"'},
        {"keyName": f"{BYTE_ORDER_MARK}detour", "secret": BYTE_ORDER_MARK + SECRET},
        {"keyName": "detour", "secret": f"{SECRET[:20]} {SECRET[20:]}"},
        {"keyName": "detour", "secret": f"{SECRET[:20]}\r\n{SECRET[20:]}\r\n"},
        {"keyName": "detour", "secret": SECRET, "ca.crt": "somebody else's"},
    ],
    ids=[
        "plain",
        "newlines at the ends",
        "capitals and dots",
        "cert-manager's word",
        "no algorithm",
        "quotes",
        "byte order marks",
        "blank inside",
        "wrapped by Windows",
        "more in the Secret",
    ],
)
def test_a_key_is_taken_however_its_file_was_made(parts: dict[str, str]) -> None:
    found = key(**parts)
    assert (found.name.to_text().lower(), found.secret) == ("detour.", OCTETS)
    assert found.algorithm == dns.tsig.HMAC_SHA256


@pytest.mark.parametrize(
    "parts",
    [
        {"secret": STATEMENT},
        {"keyName": "detour", "secret": STATEMENT},
        {"tsig.key": STATEMENT},
        {"secret": BYTE_ORDER_MARK + "// made by tsig-keygen\n" + STATEMENT},
        {"secret": f"/* a\ncomment */ key detour {{ secret {SECRET}; algorithm hmac-sha512; }};"},
        {"secret": f"hmac-sha512:detour:{SECRET}"},
        {"secret": KNOT},
        {"knot-key.conf": KNOT},
    ],
    ids=["statement", "beside its name", "only entry", "comment", "without quotes", "one line", "Knot", "Knot's file"],
)
def test_a_key_in_the_words_of_a_servers_configuration_is_taken(parts: dict[str, str]) -> None:
    found = key(**parts)
    assert (found.name.to_text(), found.algorithm, found.secret) == ("detour.", dns.tsig.HMAC_SHA512, OCTETS)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"secret": SECRET}, "'keyName'"),
        ({"keyName": "detour"}, "'secret'"),
        ({"keyName": "detour", "secret": " \n"}, "'secret'"),
        ({"keyName": "detour", "secret": '""'}, "'secret'"),
        ({"keyName": "detour", "secret": SECRET.rstrip("=")}, "base64"),
        ({"keyName": "detour", "secret": SECRET.replace("+", "-").replace("/", "_") + "-_"}, "base64"),
        ({"keyName": "detour", "secret": "pässwörd"}, "base64"),
        ({"keyName": "detour", "secret": f"secret {LONG}"}, "base64"),
        ({"keyName": "two words", "secret": SECRET}, "'keyName'"),
        ({"keyName": "schlüssel", "secret": SECRET}, "'keyName'"),
        ({"keyName": "a..b", "secret": SECRET}, "'keyName'"),
        ({"keyName": "k" * 70, "secret": SECRET}, "'keyName'"),
        ({"keyName": "detour", "secret": SECRET, "algorithm": "hmac-md5.sig-alg.reg.int"}, "hmac-sha256"),
        ({"keyName": "detour", "secret": SECRET, "algorithm": "hmac-sha1"}, "hmac-sha256"),
        ({"keyName": "other", "secret": STATEMENT}, "'keyName'"),
        ({"secret": STATEMENT, "algorithm": "hmac-sha256"}, "'algorithm'"),
        ({"secret": STATEMENT + STATEMENT.replace("detour", "other")}, "several keys"),
        ({"secret": 'key "detour" { algorithm hmac-sha256; };'}, "no secret"),
        ({"secret": KNOT + KNOT}, "several keys"),
        ({"unrelated": SECRET}, "'keyName'"),
        ({}, "'keyName'"),
    ],
)
def test_what_is_no_key_is_refused_by_its_part_and_never_quoted(parts: dict[str, str], said: str) -> None:
    with pytest.raises(CredentialsRefusedError, match=said) as refusal:
        key_from(parts)
    told = f"{refusal.value} {refusal.value.__cause__}"
    assert not any(part in told for part in (SECRET, LONG, SECRET.rstrip("="), "pässwörd"))
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_a_key_is_not_shown_by_what_holds_it() -> None:
    assert SECRET not in repr(key_in(STATEMENT))
