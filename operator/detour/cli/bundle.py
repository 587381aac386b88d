"""`detour support-bundle`: what somebody who helps needs to see, in one file."""

import io
import json
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from detour.cli.diagnosis import Facts, diagnosed, lines
from detour.model.objects import Kind, RawObject

FOLDER = "detour"


def write(path: Path, facts: Facts, events: Sequence[RawObject]) -> list[str]:
    """Write the bundle; return the names of the files in it. Raises OSError."""
    found = dict(contents(facts, events))
    with tarfile.open(path, "w:gz") as archive:
        for name, text in found.items():
            data = text.encode()
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.size, member.mtime, member.mode = len(data), int(time.time()), 0o600
            archive.addfile(member, io.BytesIO(data))
    path.chmod(0o600)
    return list(found)


def redacted(value: Any, *, of: str = "") -> Any:
    """Return an object without what may be a secret in spite of all: values of headers that checks send."""
    if isinstance(value, Mapping):
        hidden = {"value": "(left out)"} if of == "headers" and "value" in value else {}
        return {key: redacted(each, of=str(key)) for key, each in value.items()} | hidden
    if isinstance(value, list | tuple):
        return [redacted(each, of=of) for each in value]
    return value


def contents(facts: Facts, events: Sequence[RawObject]) -> Iterator[tuple[str, str]]:
    """Give the files of a bundle."""
    leaders = [f"operator {each.version or 'unknown'} ({each.lease}, {each.holder})" for each in facts.replicas]
    yield "versions.txt", "\n".join([f"detour {facts.version}", *leaders, ""])
    yield "doctor.txt", "\n".join([*lines(diagnosed(facts)), ""])
    for kind in Kind:
        objects = [redacted(each.raw) for each in facts.of(kind)]
        if objects:
            yield f"{kind.plural}.yaml", yaml.safe_dump_all(json.loads(json.dumps(objects)), sort_keys=False)
    yield "events.json", json.dumps(list(events), indent=1)
