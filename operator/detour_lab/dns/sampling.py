"""Watches what name servers answer, many times a second, as evidence that no answer was ever empty or wrong.

Each server is asked for each name every 20 ms over one UDP socket, whether or not it has answered before. Equal
answers in a row are one sighting, so that an hour of them takes no more memory than the changes in it, and an answer
that is octet for octet like an earlier one is not parsed again.

    async with Sampler({"ns1": "192.0.2.53:53"}, [Question("www.example.com")]) as sampler:
        ...
        sampler.begin()                         # what was seen so far doesn't count
        ...
        sampler.tally.empty, sampler.wrong_answers({("ns1", "www.example.com"): [{"192.0.2.1"}, {"192.0.2.2"}]})
"""

import asyncio
import enum
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import dns.exception
import dns.message
import dns.rcode

from detour.enactment.asking import split_server
from detour.model.names import canonical
from detour_lab.dns.samplingsocket import Asker

INTERVAL = 0.02
TIMEOUT = 1.0
REMEMBERED_ANSWERS = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """A canonical name and a type that must always have an answer."""

    name: str
    type: str = "A"

    @property
    def wire(self) -> bytes:
        """The message without its ID, recursion not desired."""
        message = dns.message.make_query(self.name, self.type, flags=0)
        return message.to_wire()[2:]


class Outcome(enum.StrEnum):
    """EMPTY is NXDOMAIN, or NOERROR without an answer; FAILED any other code, or something unreadable."""

    ANSWER = "answer"
    EMPTY = "empty"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one response says. `code` is the DNS response code, such as NOERROR."""

    outcome: Outcome
    values: frozenset[str]
    code: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """Equal answers in a row: `count` of them between `first_at` and `last_at`, in seconds on the sampler's clock."""

    server: str
    question: Question
    answer: Answer
    first_at: float
    last_at: float
    count: int

    def __str__(self) -> str:
        shown = ", ".join(sorted(self.answer.values)) or f"{self.answer.outcome} ({self.answer.code})"
        return f"{self.question.name} {self.question.type} at {self.server}: {shown}, {self.count} times"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many responses there were of each kind, and how many questions got none within the timeout."""

    answers: int = 0
    empty: int = 0
    failed: int = 0
    unanswered: int = 0


@dataclass(slots=True)
class _Run:
    answer: Answer
    first_at: float
    last_at: float
    count: int


class _Watched:
    """One question at one server: the runs of equal answers, the newest last."""

    def __init__(self, server: str, question: Question) -> None:
        self.server = server
        self.question = question
        self.runs: list[_Run] = []
        self.unanswered = 0
        self.known: dict[bytes, Answer] = {}

    def sightings(self) -> Iterator[Sighting]:
        for run in self.runs:
            yield Sighting(self.server, self.question, run.answer, run.first_at, run.last_at, run.count)

    def read(self, response: bytes) -> Answer:
        """Return what a response, given without its ID, says."""
        if (answer := self.known.get(response)) is None:
            if len(self.known) >= REMEMBERED_ANSWERS:
                self.known.clear()
            answer = self.known[response] = _parse(response, self.question)
        return answer


class Sampler:
    """Asks `servers` (name to `address:port`) for `questions`; an async context manager.

    `interval` and `timeout` in seconds. `clock` stamps what is seen: take `time.time` to compare it with log lines.
    `on_change` is called with each sighting that begins.
    """

    def __init__(
        self,
        servers: Mapping[str, str],
        questions: Iterable[Question],
        *,
        interval: float = INTERVAL,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[Sighting], None] | None = None,
    ) -> None:
        asked = tuple(questions)
        self._clock = clock
        self._interval = interval
        self._on_change = on_change
        self._news = asyncio.Event()
        self._watched = {(server, each): _Watched(server, each) for server in servers for each in asked}
        self._askers = [
            Asker(
                split_server(address),
                [each.wire for each in asked],
                timeout=timeout,
                on_response=self._responder([self._watched[server, each] for each in asked]),
                on_silence=self._silencer([self._watched[server, each] for each in asked]),
            )
            for server, address in servers.items()
        ]
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for asker in self._askers:
            asker.open()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for asker in self._askers:
            asker.close()

    def begin(self) -> None:
        """Forget the counts and the past: only what is shown now stays, as sightings that begin now."""
        now = self._clock()
        for asker in self._askers:
            asker.forget()
        for watched in self._watched.values():
            watched.unanswered = 0
            watched.runs = [_Run(run.answer, now, now, 0) for run in watched.runs[-1:]]

    @property
    def tally(self) -> Tally:
        """All counts since `begin`."""
        counts = dict.fromkeys(Outcome, 0)
        for sighting in self.sightings():
            counts[sighting.answer.outcome] += sighting.count
        unanswered = sum(watched.unanswered for watched in self._watched.values())
        return Tally(counts[Outcome.ANSWER], counts[Outcome.EMPTY], counts[Outcome.FAILED], unanswered)

    def sightings(self, server: str | None = None, name: str | None = None) -> list[Sighting]:
        """Return what was seen since `begin`, oldest first, at one server or of one name where these are given."""
        found = [
            sighting
            for watched in self._watched.values()
            if server in (None, watched.server) and name in (None, watched.question.name)
            for sighting in watched.sightings()
        ]
        return sorted(found, key=lambda sighting: sighting.first_at)

    def empty_answers(self) -> list[Sighting]:
        """Return every sighting of an empty answer."""
        return [each for each in self.sightings() if each.answer.outcome is Outcome.EMPTY and each.count]

    def wrong_answers(self, allowed: Mapping[tuple[str, str], Collection[Collection[str]]]) -> list[Sighting]:
        """Return every sighting of values that are none of the sets `allowed` at (server, name).

        Empty answers count apart. Raises KeyError for a server and name that are watched but not in `allowed`.
        """
        sets = {key: {frozenset(values) for values in allowed[key]} for key in self._places()}
        return [
            each
            for each in self.sightings()
            if each.answer.outcome is Outcome.ANSWER
            and each.count
            and each.answer.values not in sets[each.server, each.question.name]
        ]

    def shown(self, server: str, name: str, rrtype: str = "A") -> frozenset[str]:
        """Return the values that a server showed last; none before its first answer. Raises KeyError if not watched."""
        runs = self._watched[server, Question(name, rrtype)].runs
        return runs[-1].answer.values if runs else frozenset()

    def first_shown(self, server: str, name: str, values: Collection[str], *, since: float = 0.0) -> float | None:
        """Return when a server first showed exactly `values` in a sighting that began at `since` or later."""
        wanted = frozenset(values)
        times = [each.first_at for each in self.sightings(server, name) if each.answer.values == wanted]
        return next((at for at in times if at >= since), None)

    async def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until `condition` holds, looking after each change and each round; False after `timeout` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not condition():
                    await self._news.wait()
        return condition()

    def _places(self) -> set[tuple[str, str]]:
        return {(server, question.name) for server, question in self._watched}

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            late = loop.time() - due
            for asker in self._askers:
                # After a pause of our own, answers may wait in the socket: nothing is given up before they are read.
                if late < self._interval:
                    asker.give_up(loop.time())
                asker.ask(loop.time())
            self._wake()
            # Moments that were missed are not made up for.
            due = max(due + self._interval, loop.time())
            await asyncio.sleep(due - loop.time())

    def _responder(self, watched: list[_Watched]) -> Callable[[int, bytes], None]:
        return lambda place, response: self._note(watched[place], response)

    def _silencer(self, watched: list[_Watched]) -> Callable[[int], None]:
        def silent(place: int) -> None:
            watched[place].unanswered += 1

        return silent

    def _note(self, watched: _Watched, response: bytes) -> None:
        now = self._clock()
        answer = watched.read(response)
        last = watched.runs[-1] if watched.runs else None
        if last is not None and (last.answer is answer or last.answer == answer):
            last.last_at = now
            last.count += 1
            return
        watched.runs.append(_Run(answer, now, now, 1))
        if self._on_change is not None:
            self._on_change(Sighting(watched.server, watched.question, answer, now, now, 1))
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _parse(response: bytes, question: Question) -> Answer:
    try:
        message = dns.message.from_wire(b"\0\0" + response)
    except dns.exception.DNSException as error:
        return Answer(Outcome.FAILED, frozenset(), type(error).__name__)
    code = dns.rcode.to_text(message.rcode())
    if code not in ("NOERROR", "NXDOMAIN"):
        return Answer(Outcome.FAILED, frozenset(), code)
    values = frozenset(
        _text(rdata) for rrset in message.answer if canonical(rrset.name.to_text()) == question.name for rdata in rrset
    )
    return Answer(Outcome.ANSWER if values else Outcome.EMPTY, values, code)


def _text(rdata: Any) -> str:
    text = str(rdata.to_text())
    return canonical(text) if text.endswith(".") else text
