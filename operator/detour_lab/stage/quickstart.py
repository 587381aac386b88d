"""The manifests of docs/examples/quickstart, made to fit a running lab.

They are written for the block 127.53.0.0/16; for a lab in another block every address is rewritten. What differs from
lab to lab, the credentials and the certificate authority, is not in the folder: it is made here.
"""

from collections.abc import Mapping
from pathlib import Path

import yaml

from detour_lab.loopback import LoopbackBlock

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "examples" / "quickstart"
NAMESPACE = "shop"
CREDENTIALS = "05-credentials.yaml"
"""Between the namespace and what needs the credentials, in the order in which kubectl reads a folder."""
CA_CONFIG_MAP = "lab-ca"


def secrets_manifest(credentials: Mapping[str, Mapping[str, str]], authority: str) -> str:
    """Return YAML with a Secret for each of `credentials` and the ConfigMap that holds `authority` (PEM)."""
    documents: list[object] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": _metadata(name), "stringData": dict(data)}
        for name, data in credentials.items()
    ]
    bundle = {"ca.crt": authority}
    documents.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(CA_CONFIG_MAP), "data": bundle})
    return yaml.safe_dump_all(documents, sort_keys=False)


def static_manifests(block: LoopbackBlock) -> Mapping[str, str]:
    """Return the folder's files by name, in order, with the addresses of `block`.

    Raises FileNotFoundError where Detour was installed without its documentation.
    """
    files = sorted(FOLDER.glob("*.yaml"))
    if not files:
        raise FileNotFoundError(f"{FOLDER} holds no manifests: run the lab from a checkout of Detour's repository")
    return {file.name: block.rewrite(file.read_text(encoding="utf-8")) for file in files}


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write `files` into `folder`, which is made where it's missing, readable by us alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")


def _metadata(name: str) -> dict[str, str]:
    return {"name": name, "namespace": NAMESPACE}
