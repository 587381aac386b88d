"""One UDP socket to one name server, over which the same few questions are sent again and again.

Plain sockets and `add_reader`: a thousand exchanges a second must not take the processor from what is being measured.
"""

import asyncio
import itertools
import socket
from collections.abc import Callable, Sequence

LARGEST_MESSAGE = 65535
READS_AT_ONCE = 200


class Asker:
    """Sends `messages` (without their ID) and matches what comes back by ID and question.

    `on_response` is called with a message's place and the response without its ID, `on_silence` with the place of a
    message that got none within `timeout` seconds.
    """

    def __init__(
        self,
        server: tuple[str, int],
        messages: Sequence[bytes],
        *,
        timeout: float,
        on_response: Callable[[int, bytes], None],
        on_silence: Callable[[int], None],
    ) -> None:
        self._server = server
        self._messages = [(place, message) for place, message in enumerate(messages)]
        self._questions = [message[10:] for message in messages]  # what follows the header is the question
        self._timeout = timeout
        self._on_response = on_response
        self._on_silence = on_silence
        self._ids = itertools.count(1)
        self._waiting: dict[bytes, tuple[int, float]] = {}
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Take a socket and listen to it in the running loop."""
        host, port = self._server
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect((host, port))
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def close(self) -> None:
        """Let the socket go. Again is harmless."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def ask(self, now: float) -> None:
        """Send every message once. `now` in seconds, on whatever clock `give_up` is called with."""
        if self._socket is None:
            raise RuntimeError("open the socket first")
        for place, message in self._messages:
            number = (next(self._ids) & 0xFFFF).to_bytes(2, "big")
            self._waiting[number] = (place, now)
            try:
                self._socket.send(number + message)
            except OSError:
                continue  # nobody listens there: it counts as silence in due time

    def forget(self) -> None:
        """Expect nothing more of what was asked so far: it counts neither as answered nor as silence."""
        self._waiting.clear()

    def give_up(self, now: float) -> None:
        """Count what has waited for longer than the timeout as silence."""
        limit = now - self._timeout
        while self._waiting:
            number = next(iter(self._waiting))
            place, sent_at = self._waiting[number]
            if sent_at > limit:
                return
            del self._waiting[number]
            self._on_silence(place)

    def _read(self) -> None:
        if self._socket is None:
            return
        for _ in range(READS_AT_ONCE):
            try:
                response = self._socket.recv(LARGEST_MESSAGE)
            except BlockingIOError:
                return
            except OSError:
                continue  # the news that nobody listens there
            waiting = self._waiting.get(response[:2])
            if waiting is None:
                continue
            place = waiting[0]
            question = self._questions[place]
            if response[12 : 12 + len(question)] == question:
                del self._waiting[response[:2]]
                self._on_response(place, response[2:])
