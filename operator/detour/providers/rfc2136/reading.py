"""Reading some names: asking, and proving what was answered, until the two agree.

One UPDATE demands that everything is as answered, for all names at once. Where it is refused, each name is proven by
itself; what then does not hold was either made up from a wildcard, which another UPDATE tells, or has changed between
the question and the proof, and is asked for again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.update

from detour.enactment.contract import CredentialsRefusedError, OpaqueSet, ProviderError, UnavailableError, ZoneContents
from detour.providers.rfc2136.looking import READ_TYPES, Look, NoLookError, look_of
from detour.providers.rfc2136.messages import question
from detour.providers.rfc2136.wire import FoundSets, absolute, contents_of, plain_name

AGREE_WITHIN = 10.0
"""Seconds for which answers may differ from the zone itself: a server that signs a copy takes well below one."""

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5

Asking = Callable[[Sequence[dns.message.Message]], Awaitable[list[dns.message.Message]]]
Missing = Callable[[dns.message.Message], ProviderError]


class NameReader:
    """Reads names of the zone `domain`.

    `ask` sends messages; `missing` gives the error for an answer without authority.
    """

    def __init__(self, domain: str, server: str, *, ask: Asking, missing: Missing) -> None:
        self._domain = domain
        self._apex = absolute(domain)
        self._server = server
        self._ask = ask
        self._missing = missing

    async def read(self, names: Iterable[str]) -> ZoneContents:
        """Return what stands at `names`. Raises ProviderError."""
        pending = sorted({each for each in names if absolute(each).is_subdomain(self._apex)})  # the rest isn't here
        proven: list[Look] = []
        loop = asyncio.get_running_loop()
        began_at, pause = loop.time(), FIRST_PAUSE
        while pending:
            looks = await self._look(pending)
            held = await self._held(looks)
            proven += held
            pending = sorted(set(pending) - {plain_name(each.name) for each in held})
            if pending and loop.time() - began_at > AGREE_WITHIN:
                raise UnavailableError(
                    f"{self._server} answers for {pending[0]} otherwise than the zone {self._domain} holds, for more "
                    f"than {AGREE_WITHIN:g} s: it must be the zone's primary, and keep up with its updates"
                )
            if pending:
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
        return self._contents(proven)

    def _contents(self, looks: Iterable[Look]) -> ZoneContents:
        found: FoundSets = {}
        partial: dict[str, frozenset[str]] = {}
        shadows: dict[tuple[str, str], OpaqueSet] = {}
        for look in looks:
            found.update(look.found)
            for name, types in look.read_types(self._apex).items():
                partial[name] = partial.get(name, frozenset()) | types
            if look.shadow is not None:
                name, rrtype = plain_name(look.shadow[0]), dns.rdatatype.to_text(look.shadow[1])
                shadows[name, rrtype] = OpaqueSet(name, rrtype)
        contents = contents_of(found)
        return ZoneContents(contents.sets, (*contents.opaque, *shadows.values()), partial)

    async def _look(self, names: Sequence[str]) -> list[Look]:
        answers = await self._ask(
            [question(name, dns.rdatatype.to_text(each)) for name in names for each in READ_TYPES]
        )
        count = len(READ_TYPES)
        try:
            return [
                look_of(name, self._apex, answers[place * count : (place + 1) * count])
                for place, name in enumerate(names)
            ]
        except NoLookError as error:
            raise self._missing(error.answer) from None

    async def _held(self, looks: Sequence[Look]) -> list[Look]:
        """Return those of `looks` that the zone itself bears out, without what was made up from wildcards."""
        if await self._prove([looks]) == [True]:
            return list(looks)
        holds = await self._prove([[each] for each in looks])
        held = [each for each, is_so in zip(looks, holds, strict=True) if is_so]
        doubtful = [each for each, is_so in zip(looks, holds, strict=True) if not is_so and each.found]
        if not doubtful:
            return held
        real = [each.without(ghosts) for each, ghosts in zip(doubtful, await self._ghosts(doubtful), strict=True)]
        holds = await self._prove([[each] for each in real])
        return held + [each for each, is_so in zip(real, holds, strict=True) if is_so]

    async def _ghosts(self, looks: Sequence[Look]) -> list[list[dns.rdatatype.RdataType]]:
        """Return for each look the types that the zone doesn't hold there at all, with whatever values."""
        keys = [(place, rrtype) for place, look in enumerate(looks) for _, rrtype in look.found]
        messages = []
        for place, rrtype in keys:
            message = self._update()
            message.present(looks[place].name, rrtype)
            messages.append(message)
        exists = await self._judge(messages)
        ghosts: list[list[dns.rdatatype.RdataType]] = [[] for _ in looks]
        for (place, rrtype), does in zip(keys, exists, strict=True):
            if not does:
                ghosts[place].append(rrtype)
        return ghosts

    async def _prove(self, groups: Sequence[Sequence[Look]]) -> list[bool]:
        messages = []
        for group in groups:
            message = self._update()
            for look in group:
                look.demand(message)
            messages.append(message)
        try:
            return await self._judge(messages)
        except dns.exception.TooBig:
            if all(len(group) == 1 for group in groups):
                raise
            return [False for _ in groups]  # one by one they fit

    def _update(self) -> dns.update.UpdateMessage:
        return dns.update.UpdateMessage(self._apex)

    async def _judge(self, messages: Sequence[dns.message.Message]) -> list[bool]:
        """Return which of these UPDATEs, which change nothing, the server would have applied."""
        answers = await self._ask(messages)
        for answer in answers:
            code = answer.rcode()
            if code in (dns.rcode.NOTAUTH, dns.rcode.SERVFAIL):
                raise self._missing(answer)
            if code not in (dns.rcode.NOERROR, dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN):
                raise CredentialsRefusedError(
                    f"{self._server} does not say what exists in {self._domain} ({dns.rcode.to_text(code)}): "
                    "the key must be allowed to update the zone"
                )
        return [answer.rcode() == dns.rcode.NOERROR for answer in answers]
