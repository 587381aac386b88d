"""What counts as an HTTP answer: what curl takes for one."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.checks.answer import FIELD_LIMIT, FIELDS_LIMIT, AnswerReader, BadAnswerError
from detour.model.checks import HTTP_BODY_LIMIT

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 10\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BODY = b"status: ok"
PLAIN = OK + LENGTH + b"\r\n" + BODY
ONE_CHUNK = b"a\r\n" + BODY + b"\r\n0\r\n\r\n"
PACKED = gzip.compress(BODY)


def read(answer: bytes, *, piece: int = 1 << 20) -> AnswerReader:
    """Read a whole connection, in pieces of so many bytes."""
    reader = AnswerReader()
    for start in range(0, len(answer), piece):
        reader.feed(answer[start : start + piece])
    reader.end()
    return reader


ACCEPTED = {
    "plain": PLAIN,
    "early hints first": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" * 3 + PLAIN,
    "100 Continue with a length": b"HTTP/1.1 100 Continue\r\nContent-Length: 10\r\n\r\n" + PLAIN,
    "HTTP/1.0 until the end": b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
    "HTTP/1.0 in chunks": b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"\r\n" + ONE_CHUNK,
    "HTTP/2 in the status line": b"HTTP/2 200\r\n" + LENGTH + b"\r\n" + BODY,
    "version in lower case": b"http/1.1 200 ok\r\n" + LENGTH + b"\r\n" + BODY,
    "no reason phrase": b"HTTP/1.1 200\r\n" + LENGTH + b"\r\n" + BODY,
    "no blank before the reason": b"HTTP/1.1 200OK\r\n" + LENGTH + b"\r\n" + BODY,
    "two blanks before the status": b"HTTP/1.1  200 OK\r\n" + LENGTH + b"\r\n" + BODY,
    "reason in Latin-1": b"HTTP/1.1 200 \xc4lles gut\r\n" + LENGTH + b"\r\n" + BODY,
    "reason of 30 KB": b"HTTP/1.1 200 " + b"x" * 30_000 + b"\r\n" + LENGTH + b"\r\n" + BODY,
    "blank lines before it": b"\r\n\n" + PLAIN,
    "lines without CR": PLAIN.replace(b"\r\n", b"\n"),
    "a value of 32 KB": OK + b"Content-Security-Policy: " + b"a" * FIELD_LIMIT + b"\r\n" + LENGTH + b"\r\n" + BODY,
    "256 cookies of 1 KB": OK + (b"Set-Cookie: " + b"x" * 1000 + b"\r\n") * 256 + LENGTH + b"\r\n" + BODY,
    "4,000 fields": OK + b"X-Debug: 1\r\n" * 4000 + LENGTH + b"\r\n" + BODY,
    "folded line": OK + b"X-Note: one\r\n two\r\n\tthree\r\n" + LENGTH + b"\r\n" + BODY,
    "folded length": OK + b"Content-Length:\r\n 10\r\n\r\n" + BODY,
    "blank before the colon": OK + b"X-Old : 1\r\nContent-Length : 10\r\n\r\n" + BODY,
    "blank in a name": OK + b"X Old: 1\r\n" + LENGTH + b"\r\n" + BODY,
    "no name": OK + b": 1\r\n" + LENGTH + b"\r\n" + BODY,
    "bytes above 127": OK + b"X-City: M\xfcnchen\r\nX-\xfc: \xff\r\n" + LENGTH + b"\r\n" + BODY,
    "the same length twice": OK + LENGTH * 2 + b"\r\n" + BODY,
    "two lengths, the last is right": OK + b"Content-Length: 3\r\n" + LENGTH + b"\r\n" + BODY,
    "a list of lengths": OK + b"Content-Length: 10, 10\r\n\r\n" + BODY,
    "a length with a sign": OK + b"Content-Length: +10\r\n\r\n" + BODY,
    "a length beyond all measure": OK + b"Content-Length: " + b"9" * 9000 + b"\r\n\r\n" + BODY,
    "length and chunks": OK + b"Content-Length: 3\r\n" + CHUNKED + b"\r\n" + ONE_CHUNK,
    "chunked twice": OK + CHUNKED * 2 + b"\r\n" + ONE_CHUNK,
    "chunked in capitals": OK + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n" + ONE_CHUNK,
    "identity": OK + b"Transfer-Encoding: identity\r\n" + LENGTH + b"\r\n" + BODY,
    "an unknown transfer coding": OK + b"Transfer-Encoding: wrapped\r\n\r\n" + BODY,
    "extension and trailers": OK
    + CHUNKED
    + b'\r\na;s="1"\r\n'
    + BODY
    + b"\r\n0\r\nX-T: 1\r\nContent-Length: 1\r\n\r\n",
    "small chunks": OK + CHUNKED + b"\r\n" + b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n",
    "blanks behind a chunk's size": OK + CHUNKED + b"\r\na  \r\n" + BODY + b"\r\n0\r\n\r\n",
    "more than announced": PLAIN + b"more",
    "upgrade offered": OK + b"Upgrade: h2,h2c\r\nConnection: Upgrade\r\n" + LENGTH + b"\r\n" + BODY,
}


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize("answer", ACCEPTED.values(), ids=ACCEPTED)
def test_what_curl_takes_for_an_answer_is_one(answer: bytes, piece: int) -> None:
    if piece == 1 and len(answer) > 5000:
        piece = 4999
    reader = read(answer, piece=piece)
    assert (reader.status, bytes(reader.body), reader.ended) == (200, BODY, True)


REFUSED = {
    "nothing": (b"", "ConnectionReset"),
    "a status line without end": (OK.rstrip(), "ConnectionReset"),
    "a head without end": (OK + LENGTH, "ConnectionReset"),
    "only informational": (b"HTTP/1.1 103 Early Hints\r\n\r\n", "ConnectionReset"),
    "HTTP/0.9": (BODY, "ProtocolError"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.9\r\n", "ProtocolError"),
    "TLS": (b"\x15\x03\x01\x00\x02\x02\x46", "ProtocolError"),
    "ICY": (b"ICY 200 OK\r\n\r\n", "ProtocolError"),
    "HTTP/3 in the status line": (b"HTTP/3 200 OK\r\n\r\n", "ProtocolError"),
    "a status of two digits": (b"HTTP/1.1 20 OK\r\n\r\n", "ProtocolError"),
    "a status of four digits": (b"HTTP/1.1 2000 OK\r\n\r\n", "ProtocolError"),
    "a status below 100": (b"HTTP/1.1 099 OK\r\n\r\n", "ProtocolError"),
    "a line without colon": (OK + b"nonsense\r\n\r\n", "ProtocolError"),
    "a zero byte": (OK + b"X: a\0b\r\n\r\n", "ProtocolError"),
    "a length that is no number": (OK + b"Content-Length: many\r\n\r\n", "ProtocolError"),
    "a negative length": (OK + b"Content-Length: -5\r\n\r\n", "ProtocolError"),
    "an empty length": (OK + b"Content-Length:\r\n\r\n", "ProtocolError"),
    "shorter than announced": (OK + b"Content-Length: 100\r\n\r\n" + BODY, "ProtocolError"),
    "a chunk cut off": (OK + CHUNKED + b"\r\na\r\nstat", "ProtocolError"),
    "a chunk without size": (OK + CHUNKED + b"\r\nzz\r\n", "ProtocolError"),
    "a chunk of more digits than any": (OK + CHUNKED + b"\r\n" + b"f" * 17 + b"\r\n", "ProtocolError"),
    "a chunk longer than announced": (OK + CHUNKED + b"\r\n3\r\n" + BODY + b"\r\n", "ProtocolError"),
    "a value of more than 32 KB": (OK + b"X: " + b"a" * (FIELD_LIMIT + 1) + b"\r\n\r\n", "HeadersTooLarge"),
    "a value that grows by folding": (OK + b"X: a\r\n" + (b" " + b"a" * 1000 + b"\r\n") * 40, "HeadersTooLarge"),
    "a line that never ends": (OK + b"X: " + b"a" * 2_000_000, "HeadersTooLarge"),
    "a status line of more than 32 KB": (b"HTTP/1.1 200 " + b"a" * 40_000 + b"\r\n", "HeadersTooLarge"),
    "more than 300 KB in all": (OK + (b"X: " + b"a" * 1000 + b"\r\n") * 310, "HeadersTooLarge"),
    "more than 5,000 fields": (OK + b"X: 1\r\n" * (FIELDS_LIMIT + 1), "HeadersTooLarge"),
    "informational answers without end": (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000, "HeadersTooLarge"),
    "trailers without end": (OK + CHUNKED + b"\r\n0\r\n" + b"X: 1\r\n" * (FIELDS_LIMIT + 1), "HeadersTooLarge"),
    "chunk extensions without end": (
        OK + CHUNKED + b"\r\n" + (b"1;" + b"x" * 999 + b"\r\na\r\n") * 310,
        "HeadersTooLarge",
    ),
}


@pytest.mark.parametrize("piece", [4999, 1 << 22])
@pytest.mark.parametrize(("answer", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_answer_has_a_reason_that_quotes_nothing(answer: bytes, reason: str, piece: int) -> None:
    with pytest.raises(BadAnswerError) as raised:
        read(answer, piece=piece)
    assert raised.value.reason == reason
    assert "aaa" not in raised.value.words
    if reason == "HeadersTooLarge":
        assert "more than" in raised.value.words


def test_another_protocol_is_noticed_at_its_first_bytes() -> None:
    with pytest.raises(BadAnswerError, match="status line"):
        AnswerReader().feed(b"SSH")


@pytest.mark.parametrize("status", [204, 304, 101])
def test_some_statuses_have_no_body_whatever_is_announced(status: int) -> None:
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 %d X\r\n" % status + LENGTH + b"\r\n")
    assert (reader.status, reader.ended, bytes(reader.body)) == (status, True, b"")


def test_the_body_is_kept_no_further_than_it_is_judged() -> None:
    reader = AnswerReader()
    reader.feed(OK + b"\r\n")
    for _ in range(100):
        reader.feed(b"x" * 100_000)
    assert reader.ended
    assert len(reader.body) == HTTP_BODY_LIMIT


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", PACKED),
        (b"x-gzip", PACKED),
        (b"deflate", zlib.compress(BODY)),
        (b"deflate", zlib.compress(BODY)[2:-4]),  # without zlib's frame, as many servers send it
        (b"GZIP", PACKED[:-8]),
        (b"gzip", BODY),
        (b"br", BODY),
    ],
    ids=("gzip", "x-gzip", "zlib", "deflate without a frame", "gzip cut short", "not packed", "unknown coding"),
)
def test_a_text_is_found_though_its_body_was_packed_unasked(coding: bytes, body: bytes) -> None:
    reader = read(OK + b"Content-Encoding: " + coding + b"\r\n\r\n" + body)
    assert reader.holds(b"ok")
    assert not reader.holds(b"broken")


def test_a_few_bytes_do_not_become_gigabytes() -> None:
    bomb = gzip.compress(b"x" * 20_000_000 + b"ready")
    assert not read(OK + b"Content-Encoding: gzip\r\n\r\n" + bomb).holds(b"ready")
    late = gzip.compress(b"x" * HTTP_BODY_LIMIT + b"ready")
    assert not read(OK + b"Content-Encoding: gzip\r\n\r\n" + late).holds(b"ready")
    early = gzip.compress(b"ready" + b"x" * 20_000_000)
    assert read(OK + b"Content-Encoding: gzip\r\n\r\n" + early).holds(b"ready")


@pytest.mark.parametrize(("coding", "is_unreadable"), [(b"br", True), (b"gzip", False), (b"identity", False)])
def test_a_packing_that_cannot_be_looked_into_is_told(coding: bytes, is_unreadable: bool) -> None:
    assert (
        read(OK + b"Content-Encoding: " + coding + b"\r\n" + CHUNKED + b"\r\n" + ONE_CHUNK).is_unreadable
        is is_unreadable
    )


SEEDS = st.sampled_from([*ACCEPTED.values(), *(answer for answer, _ in REFUSED.values())]).filter(
    lambda answer: len(answer) < 2000
)


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """An answer of which a part was replaced, repeated or cut."""
    answer = draw(SEEDS)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(answer)))
        end = min(len(answer), start + draw(st.integers(0, 20)))
        answer = answer[:start] + draw(st.binary(max_size=20) | st.just(answer[start:end] * 2)) + answer[end:]
    return answer


def told(answer: bytes, piece: int) -> object:
    try:
        reader = read(answer, piece=piece)
    except BadAnswerError as error:
        return error.reason
    return reader.status, bytes(reader.body)


@given(mangled() | st.binary(max_size=300), st.integers(1, 50))
def test_no_bytes_raise_anything_else_and_their_pieces_change_nothing(answer: bytes, piece: int) -> None:
    assert told(answer, piece) == told(answer, max(1, len(answer)))


# -- heads that are read in one go -------------------------------------------------------------------------------------

PIECES = (
    *(b"HTTP/1.1 200 OK", b"HTTP/1.1 503 Service Unavailable", b"HTTP/1.0 200", b"HTTP/1.1 100 Continue"),
    *(b"http/1.1 200 ok", b"HTTP/1.1 999 x", b"HTTP/1.1 20 OK", b"SSH-2.0", b"Server: nginx", b"X-Empty:", b"X : y"),
    *(b"Content-Length: 2", b"content-length:many", b"Content-Length: +3", b"Content-Length: -1", b"no colon"),
    *(b"Transfer-Encoding: chunked", b" folded", b"\tfolded", b"X: \0", b"X: \xff\xfe", b"\xff: y", b": no name"),
    *(b"X: " + b"y" * 70, b"Set-Cookie: a=b", b"", b"\r", b"ok", b"2"),
)
ENDS = (b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r\r\n", b"")


def outcome(data: bytes, *, head_alone: bool) -> tuple[int | None, str]:
    """Return the status, or the words that say why there is none, once `data` was read in one piece."""
    reader, words = AnswerReader(head_alone=head_alone), ""
    try:
        reader.feed(data)
    except BadAnswerError as error:
        words = error.words
    return reader.status, "" if reader.status is not None else words


@given(st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(ENDS)), max_size=8))
def test_a_head_that_is_read_in_one_go_says_what_it_says_line_by_line(lines: list[tuple[bytes, bytes]]) -> None:
    data = b"".join(piece + end for piece, end in lines)
    assert outcome(data, head_alone=True) == outcome(data, head_alone=False)


@given(st.lists(st.tuples(st.sampled_from(PIECES), st.just(b"\r\n")), max_size=8))
def test_nor_does_one_that_begins_well(lines: list[tuple[bytes, bytes]]) -> None:
    data = OK + b"".join(piece + end for piece, end in lines) + b"\r\n"
    assert outcome(data, head_alone=True) == outcome(data, head_alone=False)


@pytest.mark.parametrize("name", [name for name, answer in ACCEPTED.items() if answer.startswith(OK)])
def test_answers_that_are_plain_are_read_in_one_go(name: str) -> None:
    reader = AnswerReader(head_alone=True)
    reader.feed(ACCEPTED[name])
    assert reader.status == 200


def test_a_head_beyond_the_limits_is_refused_all_the_same() -> None:
    field = b"X: " + b"y" * (FIELD_LIMIT + 1) + b"\r\n"
    assert outcome(OK + field + b"\r\n", head_alone=True) == outcome(OK + field + b"\r\n", head_alone=False)
    assert outcome(OK + field + b"\r\n", head_alone=True)[0] is None
