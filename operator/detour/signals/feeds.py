"""What the clouds' status pages say is wrong now. Pure: from the bytes of an answer to incidents.

AWS      JSON in UTF-16, a list of events; open while `status` is not 0 and there is no end; the region stands in
         the ARN, and in the names of the services that are affected
Google   JSON, a list of incidents, old ones too; open while `end` is absent; regions by their ids
Azure    RSS without anything but text; an item is there while the incident is open
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from detour.model.signals import Incident, Incidents

MOST_INCIDENTS = 1000
"""Open incidents that are looked at."""

LONGEST_TEXT = 10_000
"""Characters of what Azure says of an incident in which regions are looked for."""

_ARN = re.compile(r"arn:aws[a-z-]*:health:([a-z0-9-]+)::event/")
_ZONE = re.compile(r"(.*[0-9])-[a-z]")
_OVER = re.compile(r"\b(mitigated|resolved|rca)\b", re.IGNORECASE)
_NOTICES = frozenset({"AVAILABLE", "AVAILABLE_INFORMATION", "SERVICE_INFORMATION"})


class UnreadableFeedError(ValueError):
    """An answer is not what the cloud's status page is known to look like."""


def incidents_in(cloud: str, body: bytes) -> Incidents:
    """Return what the status page of AWS, Azure or Google says is wrong. Raises UnreadableFeedError."""
    try:
        found = _READERS[cloud](body)
        return Incidents(tuple(each for each, _ in zip(found, range(MOST_INCIDENTS), strict=False)))
    except UnreadableFeedError:
        raise
    except (ParseError, DefusedXmlException) as error:
        raise UnreadableFeedError(f"it is no RSS that can be read ({type(error).__name__})") from None
    except (ValueError, RecursionError) as error:  # also of json and of codecs
        raise UnreadableFeedError(f"it is no JSON that can be read ({type(error).__name__})") from None


def _of_aws(body: bytes) -> Iterator[Incident]:
    for event in _list(json.loads(_utf16(body))):
        is_over = str(event.get("status")) == "0" or event.get("end_time") or event.get("endTime")
        if not is_over:
            services = [event.get("service"), *_mapping(event.get("impacted_services"))]
            named = _ARN.match(_text(event.get("arn")))
            locations = {named[1]} if named and named[1] != "global" else set()
            locations |= {found for each in services if (found := _region_of_service(_text(each)))}
            if locations:  # else it is of no region, as an outage of a service for all
                yield Incident(_summary(event, "summary", "service_name"), frozenset(locations))


def _region_of_service(service: str) -> str | None:
    """Return the region in the name of a service such as dynamodb-us-east-1."""
    found = re.search(r"-([a-z]{2}(?:-[a-z]+)+-[0-9]+)$", service)
    return found[1] if found else None


def _utf16(body: bytes) -> str:
    """Return the text, whichever way round its UTF-16 is; one that is UTF-8 after all is read as well."""
    if body[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return body.decode("utf-16")
    if body[:1] == b"\0":
        return body.decode("utf-16-be")
    if body[1:2] == b"\0":
        return body.decode("utf-16-le")
    return body.decode("utf-8-sig")


def _of_google(body: bytes) -> Iterator[Incident]:
    for incident in _list(json.loads(body.decode("utf-8-sig"))):
        latest = _mapping(incident.get("most_recent_update"))
        is_notice = {_text(incident.get("status_impact")), _text(latest.get("status"))} & _NOTICES
        if incident.get("end") or is_notice:
            continue
        places = incident.get("currently_affected_locations") or latest.get("affected_locations") or []
        ids = {_text(_mapping(each).get("id")).lower() for each in (places if isinstance(places, list) else ())}
        locations = {zone[1] if (zone := _ZONE.fullmatch(each)) else each for each in ids} - {"", "global"}
        if locations:
            yield Incident(_summary(incident, "external_desc", "service_name"), frozenset(locations))


def _of_azure(body: bytes) -> Iterator[Incident]:
    root = fromstring(body)
    if root.tag.rpartition("}")[2] != "rss":
        raise UnreadableFeedError("it is no RSS")
    for item in root.iter("item"):
        title = _child(item, "title")
        if not _OVER.search(title):
            text = f"{title}\n{_child(item, 'description')}"[:LONGEST_TEXT]
            yield Incident(title or "an incident", text=text)


def _child(item: Element, name: str) -> str:
    """Return the text of a part of an item, without the markup in it."""
    return re.sub(r"<[^>]*>", " ", item.findtext(name) or "").strip()


def _summary(item: Mapping[str, Any], *fields: str) -> str:
    words = (" ".join(_text(item.get(each)).split()) for each in fields)
    return next((each for each in words if each), "an incident")


def _list(value: object) -> Iterator[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise UnreadableFeedError("it is no list of events")
    return (each for each in value if isinstance(each, dict))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


_READERS: Mapping[str, Callable[[bytes], Iterator[Incident]]] = {
    "AWS": _of_aws,
    "Azure": _of_azure,
    "Google": _of_google,
}
