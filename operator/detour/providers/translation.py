"""Whatever an SDK, a service or a Secret comes up with becomes one of the contract's errors: the part common to all.

A provider says what the errors that it knows mean. Everything else is judged here: nothing that was not foreseen goes
up through a zone's work, and no text but ours is told of it, for a library's may quote a credential.
"""

import contextlib
import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from detour.enactment.contract import (
    CredentialsRefusedError,
    OutcomeUnknownError,
    ProviderError,
    UnavailableError,
    UnexpectedAnswerError,
)
from detour.model.defects import told

logger = logging.getLogger(__name__)

Quote = Callable[[object], str]
"""Returns what may be told of a service's own words."""

Meaning = Callable[[Exception, str, bool, Quote], ProviderError | None]
"""Given an error, what was being done, in words for people, and whether that was a write: what it means, if known."""

FILES_AWAY = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
"""An SDK reads no file but an identity's (a projected token, a profile), which it does before it sends anything."""

LONGEST_QUOTE = 400
"""Characters of a service's own message that are told."""


_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}|")


class OddAnswerError(ValueError):
    """An answer that is not what was asked for. The text is ours, and is told."""


class Translation:
    """Turns what is raised inside `with translated(doing):` into the contract's errors; `doing` names the call."""

    def __init__(self, meaning: Meaning, quote: Quote | None = None) -> None:
        """`meaning` knows one provider's errors; `quote` says what is told of its words (default: `quoted`)."""
        self._meaning = meaning
        self._quote = quote or quoted

    def of(self, *, quotes: bool) -> "Translation":
        """Return this translation, or without `quotes` one that tells nothing of what was answered but codes.

        Whoever chose the endpoint may not be allowed to read what answers there.
        """
        return self if quotes else Translation(self._meaning, code_alone)

    @contextlib.contextmanager
    def __call__(self, doing: str, *, write: bool = False) -> Iterator[None]:
        """Raise ProviderError for whatever is raised inside. With `write` what is unclear is an unknown outcome."""
        try:
            yield
        except ProviderError:
            raise
        except Exception as error:
            raise self._judged(error, doing, write) from None

    def _judged(self, error: Exception, doing: str, write: bool) -> ProviderError:
        try:
            known = self._meaning(error, doing, write, self._quote)
        except Exception:
            known = None  # it is odder than those that we know
        return known or unforeseen(error, doing, write=write)


def unforeseen(error: Exception, doing: str, *, write: bool) -> ProviderError:
    """Return what an error means that nobody foresaw: a write may have been applied, anything else has failed."""
    logger.warning("%s: %s", doing, told(error))
    if isinstance(error, FILES_AWAY):
        return CredentialsRefusedError(
            f"{doing}: a file of the workload's own identity cannot be read ({kind(error)}): see to it that its token "
            "is mounted into the operator's pod, or name a Secret in credentialsSecretRef"
        )
    what = (
        str(error)
        if isinstance(error, OddAnswerError)
        else f"the answer is none that Detour understands ({kind(error)})"
    )
    if write:
        return OutcomeUnknownError(f"{doing}: {what}, so the change may have been made or not")
    return UnexpectedAnswerError(f"{doing}: {what}; is something between the operator and the API?")


def lost(doing: str, what: str, *, write: bool) -> ProviderError:
    """Return the error for a call whose answer says nothing of the outcome."""
    return OutcomeUnknownError(f"{doing}: {what}") if write else UnavailableError(f"{doing}: {what}")


def kind(error: BaseException) -> str:
    """Return the name of an error's type, which is all that may be told of a stranger's."""
    return type(error).__name__


def quoted(text: object) -> str:
    """Return a message of the service as one line of bounded length."""
    line = " ".join(str(text).split())
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}..."


def code_alone(text: object) -> str:
    """Return an error's code as it is, and nothing of any other text."""
    return str(text) if _CODE.fullmatch(str(text)) else "in words that are not told here"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After names, None where it names none (RFC 9110 §10.2.3).

    A date is taken as seconds after the answer's own Date, so that no clock of ours is compared with theirs.
    """
    found = {str(name).lower(): str(value).strip() for name, value in headers.items()}
    text = found.get("retry-after", "")
    seconds = _number(text)
    if seconds is None and (until := _moment(text)) and (now := _moment(found.get("date", ""))):
        seconds = max(0.0, (until - now).total_seconds())
    return seconds


def _number(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return found if found.tzinfo is not None else None


class Pages:
    """The positions of a list's pages, so that a service that gives one twice does not keep us for ever."""

    def __init__(self) -> None:
        self._seen: set[object] = set()

    def next(self, position: object) -> None:
        """Take the next page's position. Raises OddAnswerError where there is none or it was there before."""
        if not position:
            raise OddAnswerError("the answer says that more follows, and not where")
        if position in self._seen:
            raise OddAnswerError("the pages of the answer go round in a circle")
        self._seen.add(position)


def required(what: str, answer: object, members: Iterable[str]) -> dict[str, Any]:
    """Return `answer` if it is an object with all of `members`. Raises OddAnswerError where it is not."""
    if not isinstance(answer, dict):
        raise OddAnswerError(f"the answer is no {what}")
    missing = [each for each in members if answer.get(each) is None]
    if missing:
        raise OddAnswerError(f"the answer is no {what}: it has no {', '.join(missing)}")
    return answer
