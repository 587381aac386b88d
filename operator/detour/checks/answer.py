"""One HTTP/1 answer, read piece by piece as it comes: its status and the start of its body.

What curl takes for an answer is one. A check asks whether the service answers, not whether its headers are as RFC 9112
would have them: a blank before a colon, a length given twice or a policy of 16 KB is no reason to move a region's
traffic. Sound clients live with all of these, strict parsers do not; hence a reader of our own. It is lenient only in
what it ignores. A connection serves one request, so nothing can be smuggled into the next answer; the peer is not
trusted, so what is kept is bounded: one line of the head, and as much of the body as is judged.

It has no I/O. Where it stops, it raises BadAnswerError, whose sentence quotes nothing of what was received.
"""

import re
import zlib
from enum import Enum, auto

from detour.checks.failures import Reason
from detour.model.checks import HTTP_BODY_LIMIT

FIELD_LIMIT = 32 * 1024
"""Bytes of one field's value, and of a status line. Browsers and curl take more, common servers send less."""
FRAMING_LIMIT = 300 * 1024
"""Bytes of all that is not body: heads, chunk sizes, trailers. As in curl (MAX_HTTP_RESP_HEADER_SIZE, lib/http.h)."""
FIELDS_LIMIT = 5000
"""Lines of fields in all. As in curl (MAX_HTTP_RESP_HEADER_COUNT, lib/http.h)."""

_NAME_ALLOWANCE = 1024
_CHUNK_DIGITS = 16
_SWITCHING_PROTOCOLS = 101
_WITHOUT_BODY = (204, 304)
_START = b"http/"
# One blank follows the version (RFC 9112 §4); more, a missing one after the status, and any reason are taken too
_STATUS_LINE = re.compile(rb"http/(?:1\.[01]|2(?:\.0)?) +([1-9][0-9]{2})(?![0-9])", re.IGNORECASE)
_LENGTH = re.compile(rb"\+?([0-9]+)")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]+)[ \t]*(?:;.*)?", re.DOTALL)
_PLAIN_HEAD = re.compile(rb"HTTP/1\.[01] ([2-9][0-9]{2})(?: [^\r\n\0]*)?\r\n(?:[!-9;-~]+:[^\r\n\0]*\r\n){0,200}\r\n")
_LENGTHS = re.compile(rb"\r\ncontent-length:[ \t]*([^\r]*)", re.IGNORECASE)
_NO_STATUS_LINE = "its answer does not begin with a status line of HTTP/1"
_UNPACKABLE = frozenset({b"gzip", b"x-gzip", b"deflate"})


class BadAnswerError(Exception):
    """What was received is no answer. `words` continue a sentence whose subject is the place that was asked."""

    def __init__(self, reason: Reason, words: str) -> None:
        super().__init__(words)
        self.reason = reason
        self.words = words


class _State(Enum):
    STATUS_LINE = auto()
    FIELDS = auto()
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    END = auto()


class AnswerReader:
    """Takes the bytes of one answer in any pieces. Informational answers before it (RFC 9110 §15.2) are passed over.

    `status` is None until its head has been read; `body` grows up to HTTP_BODY_LIMIT bytes, without chunk sizes;
    `ended` says that the body is complete, or known as far as it is looked at. Where the body does not matter, a
    `head_alone` that comes whole and is as most are is read in one go.
    """

    def __init__(self, *, head_alone: bool = False) -> None:
        self._head_alone = head_alone
        self.status: int | None = None
        self.body = bytearray()
        self.ended = False
        self.codings: frozenset[bytes] = frozenset()
        self._state = _State.STATUS_LINE
        self._pending = bytearray()
        self._status = 0
        self._field: tuple[bytes, bytes] | None = None
        self._length: int | None = None
        self._is_chunked = False
        self._remaining: int | None = None  # of the body or the chunk; None: until the connection ends
        self._framing = 0
        self._fields = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises BadAnswerError where they cannot be part of an answer."""
        if self._head_alone and not self._framing and not self._pending and (status := _status_of(data)) is not None:
            self.status = status
            self._finish()
            return
        self._pending += data
        while self._pending and self._state is not _State.END:
            if self._state is _State.BODY:
                self._take_body()
            elif (line := self._next_line()) is not None:
                self._take_line(line)
            else:
                return

    def end(self) -> None:
        """Take the end of the connection. Raises BadAnswerError where the answer was not complete by then."""
        if self._state is _State.END or (self._state is _State.BODY and self._remaining is None):
            self.ended = True
            return
        if self.status is not None:
            raise BadAnswerError(Reason.PROTOCOL_ERROR, "closed the connection before the announced end of its answer")
        if self._pending or self._framing:
            raise BadAnswerError(Reason.CONNECTION_RESET, "closed the connection in the middle of its answer's head")
        raise BadAnswerError(Reason.CONNECTION_RESET, "closed the connection before answering")

    def holds(self, text: bytes) -> bool:
        """Tell whether the body, as far as it was read, holds `text`: as sent, or packed by gzip or deflate.

        What is unpacked is bounded like what is sent, so that a few bytes cannot become gigabytes.
        """
        return text in self.body or (bool(self.codings & _UNPACKABLE) and text in _unpacked(bytes(self.body)))

    @property
    def is_unreadable(self) -> bool:
        """Whether the body is packed in a way that `holds` cannot look into."""
        return bool(self.codings - _UNPACKABLE - {b"identity", b"chunked", b""})

    def _next_line(self) -> bytes | None:
        """Return the next line without its end (CR LF or LF, RFC 9112 §2.2), None where it has not come whole."""
        length = self._pending.find(b"\n")
        size = len(self._pending) if length < 0 else length
        if self._state is _State.STATUS_LINE:
            begun = bytes(self._pending[: len(_START) + 2]).lstrip(b"\r\n")[: len(_START)].lower()
            if not _START.startswith(begun):  # said at once: what speaks another protocol may wait for us
                raise _not_http(_NO_STATUS_LINE)
        if size > FIELD_LIMIT + _NAME_ALLOWANCE:
            raise self._too_large()
        if length < 0:
            return None
        line = bytes(self._pending[:length])
        del self._pending[: length + 1]
        self._framing += length + 1
        if self._framing > FRAMING_LIMIT:
            words = f"answered with headers of more than {FRAMING_LIMIT // 1024} KB in all"
            raise BadAnswerError(Reason.HEADERS_TOO_LARGE, words)
        return line.removesuffix(b"\r")

    def _too_large(self) -> BadAnswerError:
        what = "status line" if self._state is _State.STATUS_LINE else "header field"
        words = f"answered with a {what} of more than {FIELD_LIMIT // 1024} KB"
        return BadAnswerError(Reason.HEADERS_TOO_LARGE, words)

    def _take_line(self, line: bytes) -> None:
        match self._state:
            case _State.STATUS_LINE:
                self._take_status(line)
            case _State.FIELDS | _State.TRAILERS:
                self._take_field(line)
            case _State.CHUNK_SIZE:
                self._take_chunk_size(line)
            case _:  # CHUNK_END
                if line:
                    raise _not_http("a chunk of its body is longer than announced")
                self._state = _State.CHUNK_SIZE

    def _take_status(self, line: bytes) -> None:
        if not line:
            return  # blank lines before an answer (RFC 9112 §2.2 has it for requests)
        found = _STATUS_LINE.match(line)
        if found is None:
            raise _not_http(_NO_STATUS_LINE)
        self._status = int(found[1])
        self._length, self._is_chunked, self.codings = None, False, frozenset()
        self._state = _State.FIELDS

    def _take_field(self, line: bytes) -> None:
        if b"\0" in line:
            raise _not_http("a header field holds a zero byte")
        if line:
            self._fields += 1
            if self._fields > FIELDS_LIMIT:
                words = f"answered with more than {FIELDS_LIMIT} header lines"
                raise BadAnswerError(Reason.HEADERS_TOO_LARGE, words)
        if line[:1] in (b" ", b"\t") and self._field is not None:
            # a folded line goes on with the field before it (RFC 9112 §5.2)
            name, value = self._field
            self._field = self._bounded(name, (value + b" " + line.strip(b" \t")).strip())
            return
        if self._field is not None:
            self._apply(*self._field)
            self._field = None
        if not line:
            self._end_fields()
            return
        name, colon, value = line.partition(b":")
        if not colon:
            raise _not_http("a header line has no colon")
        self._field = self._bounded(name.strip(b" \t").lower(), value.strip(b" \t"))

    def _bounded(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        if len(value) > FIELD_LIMIT:
            raise self._too_large()
        return name, value

    def _apply(self, name: bytes, value: bytes) -> None:
        if self._state is _State.TRAILERS:
            return
        if name == b"content-length":
            self._length = _length(value)  # of several the last counts, as in curl
        elif name in (b"transfer-encoding", b"content-encoding"):
            tokens = frozenset(each.strip(b" \t").lower() for each in value.split(b","))
            self._is_chunked = self._is_chunked or (name == b"transfer-encoding" and b"chunked" in tokens)
            self.codings |= tokens

    def _end_fields(self) -> None:
        if self._state is _State.TRAILERS:
            self._finish()
            return
        if self._status < 200 and self._status != _SWITCHING_PROTOCOLS:
            self._state = _State.STATUS_LINE
            return
        self.status = self._status
        if self.status in _WITHOUT_BODY or self.status == _SWITCHING_PROTOCOLS:
            self._finish()
        elif self._is_chunked:  # it overrides a length (RFC 9112 §6.3)
            self._state = _State.CHUNK_SIZE
        else:
            self._remaining = self._length
            self._state = _State.BODY
            if self._remaining == 0:
                self._finish()

    def _take_chunk_size(self, line: bytes) -> None:
        found = _CHUNK_SIZE.fullmatch(line)
        if found is None or len(found[1].lstrip(b"0")) > _CHUNK_DIGITS:
            raise _not_http("a chunk of its body has no readable size")
        self._remaining = int(found[1][-_CHUNK_DIGITS:], 16)
        self._state = _State.BODY if self._remaining else _State.TRAILERS

    def _take_body(self) -> None:
        size = len(self._pending) if self._remaining is None else min(len(self._pending), self._remaining)
        self.body += self._pending[: min(size, HTTP_BODY_LIMIT - len(self.body))]
        del self._pending[:size]
        if self._remaining is not None:
            self._remaining -= size
        if len(self.body) >= HTTP_BODY_LIMIT:
            self._finish()
        elif self._remaining == 0:
            if self._is_chunked:
                self._state = _State.CHUNK_END
            else:
                self._finish()

    def _finish(self) -> None:
        self.ended = True
        self._state = _State.END
        self._pending.clear()


def _status_of(data: bytes) -> int | None:
    """Return the status of an answer whose head is whole and plain, None where it has to be read line by line."""
    head = _PLAIN_HEAD.match(data, 0, FIELD_LIMIT)
    if head is None or not all(map(_LENGTH.match, _LENGTHS.findall(data, 0, head.end()))):
        return None
    return int(head[1])


def _not_http(cause: str) -> BadAnswerError:
    return BadAnswerError(Reason.PROTOCOL_ERROR, f"did not answer in valid HTTP: {cause}")


def _length(value: bytes) -> int | None:
    """Return the length that a field gives, None (until the connection ends) where no body can be as long."""
    found = _LENGTH.match(value)
    if found is None:
        raise _not_http("its Content-Length is no number")
    return int(found[1]) if len(found[1]) <= 18 else None


def _unpacked(body: bytes) -> bytes:
    """Return the start of what was packed, empty where it was not: as gzip or zlib, or as bare deflate."""
    for window in (zlib.MAX_WBITS + 32, -zlib.MAX_WBITS):
        try:
            return zlib.decompressobj(window).decompress(body, HTTP_BODY_LIMIT)
        except zlib.error:
            continue
    return b""
