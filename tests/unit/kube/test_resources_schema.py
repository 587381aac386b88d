"""The generated schemas: structural, described, bounded, and as they stand in the repository."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from detour.kube.resources.definitions import FAILOVER_RECORD, RESOURCES, Resource
from detour.kube.resources.output import (
    CHART_FOLDER,
    CRDS_ARE_OURS,
    as_yaml,
    chart_template,
    differences,
    generated_files,
    write,
)

ROOT = Path(__file__).resolve().parents[3]
KINDS = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)


def nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema at and below this one, with its path."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


def is_choice(node: dict[str, Any]) -> bool:
    """Tell whether a schema has a few values of different types, for which a structural schema has no word but this."""
    is_listed = bool(node.get("enum")) and node.get("x-kubernetes-preserve-unknown-fields") is True
    return is_listed or (node.get("x-kubernetes-int-or-string") is True and bool(node.get("x-kubernetes-validations")))


def part(resource: Resource, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Every schema of an object's spec or status."""
    schema = resource.schema()["properties"].get(name)
    return [] if schema is None else list(nodes(schema, name))


def test_the_files_in_the_repository_are_as_generated() -> None:
    assert differences(ROOT) == [], "run `make crds`"


@pytest.mark.slow
def test_a_changed_a_missing_and_a_leftover_file_are_told(tmp_path: Path) -> None:
    assert sorted(write(tmp_path)) == sorted(generated_files())
    assert differences(tmp_path) == []
    (tmp_path / "docs/reference.md").write_text("edited by hand")
    (tmp_path / "crds/detour.dev_dnszones.yaml").unlink()
    (tmp_path / "crds/old.yaml").write_text("")
    assert differences(tmp_path) == [
        "docs/reference.md is not as generated",
        "crds/detour.dev_dnszones.yaml is not as generated",
        "crds/old.yaml is not generated: remove it",
    ]


@KINDS
def test_the_schema_is_structural(resource: Resource) -> None:
    for path, node in nodes(resource.schema(), resource.kind):
        assert "type" in node or is_choice(node), path
        assert not node.keys() & {"$ref", "anyOf", "allOf", "oneOf", "title", "$defs", "const"}, path
        assert not ("properties" in node and "additionalProperties" in node), path


@KINDS
@pytest.mark.parametrize("name", ["spec", "status"])
def test_every_field_is_described_with_its_default(resource: Resource, name: str) -> None:
    for path, node in part(resource, name):
        if path.endswith("[]") and "properties" not in node:
            continue
        assert node.get("description", "").endswith("."), path
        if "default" in node and "properties" not in node:
            assert "Default: `" in node["description"], path


@KINDS
def test_everything_that_people_write_has_bounds(resource: Resource) -> None:
    for path, node in part(resource, "spec"):
        match node.get("type"):
            case None:
                assert is_choice(node), path
            case "string":
                assert "maxLength" in node or "enum" in node, path
            case "array":
                assert "maxItems" in node, path
            case "integer" | "number":
                assert {"minimum", "maximum"} <= node.keys(), path
            case "object":
                assert "properties" in node or "maxProperties" in node, path


@KINDS
def test_every_rule_has_a_sentence_of_its_own(resource: Resource) -> None:
    for path, node in nodes(resource.schema(), resource.kind):
        messages = [rule["message"] for rule in node.get("x-kubernetes-validations", ())]
        assert len(set(messages)) == len(messages), path
        for message in messages:
            assert len(message.split()) >= 5, (path, message)
            assert "\n" not in message, path


@KINDS
def test_a_status_is_filled_in_by_the_api_server_as_one_that_is_not_current_and_no_further(resource: Resource) -> None:
    filled = {path: node["default"] for path, node in part(resource, "status") if "default" in node}
    assert filled == ({"status": {"observedGeneration": -1}} if resource.status else {})


def below_lists(schema: dict[str, Any], path: str, *, inside: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema that is an entry of a list or a map, or within one."""
    if inside:
        yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from below_lists(inner, f"{path}.{name}", inside=inside)
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from below_lists(schema[key], f"{path}[]", inside=True)


@KINDS
def test_the_api_server_fills_nothing_into_the_entries_of_a_list(resource: Resource) -> None:
    """What is declared and what is stored would differ for ever, to tools that compare lists as a whole."""
    found = dict(below_lists(resource.schema(), resource.kind))
    assert found or resource.kind == "ExternalVerdict", "there are lists"
    assert [path for path, node in found.items() if "default" in node] == []


def test_what_our_own_code_fills_in_is_described_all_the_same() -> None:
    endpoint = FAILOVER_RECORD.schema()["properties"]["spec"]["properties"]["endpoints"]["items"]["properties"]
    assert endpoint["priority"]["description"].endswith("Default: `1`.")
    assert endpoint["state"]["description"].endswith("Default: `Active`.")


@KINDS
def test_the_charts_copy_is_the_same_but_kept_on_uninstall(resource: Resource) -> None:
    template = chart_template(resource.crd())
    assert template.startswith(f"{{{{- if {CRDS_ARE_OURS} }}}}\n")
    assert template.endswith("{{- end }}\n")
    crd = yaml.safe_load(template.split("\n", 1)[1].rsplit("{{- end }}", 1)[0])
    assert crd["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert crd == resource.crd() == yaml.safe_load(as_yaml(resource.crd()))


def test_braces_in_a_description_stay_literal_in_the_chart() -> None:
    template = chart_template({"metadata": {"name": "x"}, "text": "write {{ now }}"})
    assert 'write {{ "{{" }} now }}' in template


def test_there_is_a_crd_and_a_chart_copy_of_each_kind() -> None:
    names = {f"detour.dev_{resource.plural}.yaml" for resource in RESOURCES}
    assert generated_files().keys() == {
        "docs/reference.md",
        *(f"crds/{name}" for name in names),
        *(f"{CHART_FOLDER}/{name}" for name in names),
    }


def references(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema that names another object of Kubernetes, by the name of its field."""
    for name, inner in schema.get("properties", {}).items():
        if name.endswith(("Ref", "Refs", "Reference")):
            yield f"{path}.{name}", inner.get("items", inner)
        yield from references(inner.get("items", inner), f"{path}.{name}")


def test_secrets_and_config_maps_are_those_of_the_objects_own_namespace() -> None:
    """Else whoever may write one of our objects could make the operator read what he may not."""
    found = {path: node for each in RESOURCES for path, node in references(each.schema(), each.kind)}
    assert set(found) == {
        "DNSZone.spec.credentialsSecretRef",
        "FailoverRecord.spec.healthCheck.https.caBundleRef",
    }
    for path, node in found.items():
        assert node["properties"].keys() <= {"name", "key"}, path
