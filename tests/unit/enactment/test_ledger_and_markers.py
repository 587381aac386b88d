"""What Detour writes into a zone for itself: it reads back what it wrote, and takes nothing else for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.enactment.ledger import Ledger, batch_digest, next_claim, parse_ledger
from detour.enactment.markers import Marker, parse_marker
from detour.model.generation import NEVER, Generation
from detour.model.names import ledger_name, marker_name
from detour.model.record import ObjectKey
from detour.model.rrset import RRset, RRType

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
HEX = st.from_regex(r"[0-9a-f]{1,16}", fullmatch=True)
LEDGERS = st.builds(
    Ledger,
    site=LABELS,
    claim=HEX,
    generation=st.builds(Generation, st.integers(0, 10**12), st.integers(0, 10**12)),
    renew=st.integers(0, 999_999),
    batch=HEX | st.just("-"),
)
MARKERS = st.builds(
    Marker,
    owner=LABELS,
    record=st.builds(ObjectKey, LABELS, st.from_regex(r"[a-z0-9][a-z0-9.-]{0,60}", fullmatch=True)),
    uid=st.uuids().map(str),
)
GARBAGE = st.text(st.characters(codec="utf-8"), max_size=120)


@given(LEDGERS)
def test_a_ledger_reads_back_what_it_wrote(ledger: Ledger) -> None:
    written = ledger.rrset("production", "example.org")
    assert written.name == ledger_name("production", "example.org")
    assert parse_ledger(written) == ledger


@given(MARKERS)
def test_a_marker_reads_back_what_it_wrote(marker: Marker) -> None:
    written = marker.rrset("*.example.org")
    assert written.name == marker_name("*.example.org")
    assert parse_marker(written) == marker


TEXT = "detour/1 site=here claim=beef renew=0 epoch=3 seq=4 batch=-"


def text_set(*texts: str) -> RRset:
    return RRset("production._detour.example.org", RRType.TXT, 5, texts)


def test_the_ledgers_form_is_the_documented_one() -> None:
    assert parse_ledger(text_set(TEXT)) == Ledger("here", "beef", Generation(3, 4))
    assert Ledger("here", "beef", Generation(3, 4)).text() == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "detour/1",
        TEXT + " ",
        TEXT + "\n",
        " " + TEXT,
        TEXT.replace("detour/1", "detour/2"),
        TEXT.replace("epoch=3", "epoch=-3"),
        TEXT.replace("epoch=3", "epoch="),
        TEXT.replace("epoch=3", "epoch=\u0663"),
        TEXT.replace("epoch=3", "epoch=" + "9" * 40),
        TEXT.replace("claim=beef", "claim=BEEF"),
        TEXT.replace("site=here ", ""),
        TEXT.replace("seq=4 batch=-", "batch=- seq=4"),
    ],
)
def test_a_garbled_ledger_is_none(text: str) -> None:
    assert parse_ledger(text_set(text)) is None


def test_a_missing_ledger_and_one_of_two_texts_is_none() -> None:
    assert parse_ledger(None) is None
    assert parse_ledger(text_set(TEXT, TEXT.replace("epoch=3", "epoch=4"))) is None


@given(GARBAGE)
def test_arbitrary_text_is_neither_ledger_nor_marker(text: str) -> None:
    assert parse_ledger(text_set(text)) is None
    assert parse_marker(text_set(text)) is None


MARK = "detour/1 owner=production namespace=shop name=api uid=4f6b-11"


@pytest.mark.parametrize(
    "text",
    [
        MARK + " x",
        MARK.replace("uid=4f6b-11", "uid="),
        MARK.replace("detour/1", "detour/9"),
        MARK.replace("shop", "s p"),
    ],
)
def test_a_garbled_marker_is_none(text: str) -> None:
    assert parse_marker(text_set(MARK)) == Marker("production", ObjectKey("shop", "api"), "4f6b-11")
    assert parse_marker(text_set(text)) is None
    assert parse_marker(text_set(MARK, text)) is None
    assert parse_marker(None) is None


@given(LEDGERS | st.none(), st.builds(Generation, st.integers(0, 99), st.integers(0, 99)))
def test_a_claim_lies_above_everything_known(current: Ledger | None, known: Generation) -> None:
    claimed = next_claim(current, known, site="here", claim="c0ffee")
    assert claimed.generation > known
    assert claimed.generation > (current.generation if current else NEVER)
    assert (claimed.site, claimed.claim) == ("here", "c0ffee")


@given(LEDGERS)
def test_a_batch_moves_the_sequence_on_and_nothing_else(ledger: Ledger) -> None:
    moved = ledger.moved_on("abc")
    assert moved.generation == (ledger.generation.epoch, ledger.generation.sequence + 1)
    assert (moved.site, moved.claim, moved.renew, moved.batch) == (ledger.site, ledger.claim, ledger.renew, "abc")


def test_batches_that_differ_have_different_digests() -> None:
    ledger = Ledger("here", "beef", Generation(3, 4))
    one, two = (RRset("api.example.org", RRType.A, 30, (value,)) for value in ("192.0.2.1", "192.0.2.2"))
    digests = [
        batch_digest(ledger, []),
        batch_digest(ledger, [(None, one)]),
        batch_digest(ledger, [(one, None)]),
        batch_digest(ledger, [(one, two)]),
        batch_digest(ledger, [(two, one)]),
        batch_digest(ledger, [(None, one), (None, two)]),
        batch_digest(ledger, [(None, two), (None, one)]),
        batch_digest(ledger.moved_on("-"), [(None, one)]),
        batch_digest(Ledger("here", "cafe", Generation(3, 4)), [(None, one)]),
        batch_digest(ledger, [(None, RRset("api.example.org", RRType.A, 31, ("192.0.2.1",)))]),
    ]
    assert len(set(digests)) == len(digests)
    assert batch_digest(ledger, [(one, two)]) == batch_digest(ledger, [(one, two)])
