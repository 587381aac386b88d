"""What deployment tools make of objects: kstatus itself, Argo CD's script, Flux's expressions, by their own libraries.

They are Go, so a small program of ours holds them (`judge`). It is built once, and kept in the cache by its sources.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

SOURCES = Path(__file__).with_name("judge")
DOCS = Path(__file__).parents[2] / "docs" / "gitops"


class Judgement(NamedTuple):
    """What each makes of an object; `message` is what Argo CD shows."""

    kstatus: str
    argo: str
    message: str
    flux: str


def judge(objects: Sequence[dict[str, Any]]) -> list[Judgement]:
    """Return what the tools make of each object."""
    command = [str(built()), str(DOCS / "argocd"), str(DOCS / "flux-kustomization.yaml")]
    ended = subprocess.run(command, input=json.dumps(list(objects)), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return [Judgement(**each) for each in json.loads(ended.stdout)]


def built() -> Path:
    """Return the program, built if it is not there: that takes three minutes on 2 cores."""
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in sorted(SOURCES.iterdir()))).hexdigest()[:16]
    cache = Path(os.environ.get("DETOUR_CACHE") or Path.home() / ".cache" / "detour") / "judge"
    program = cache / digest
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes, and one build is enough
        if not program.exists():
            _build(program)
    return program


def _build(program: Path) -> None:
    go = shutil.which("go")
    assert go, "Go is needed to build tests/gitops/judge: install Go 1.26 or newer (go.dev/doc/install)"
    with tempfile.TemporaryDirectory(dir=program.parent) as workshop:
        environment = {
            **os.environ,
            "GOCACHE": f"{workshop}/objects",
            "GOMODCACHE": f"{workshop}/sources",
            "GOFLAGS": "-modcacherw -mod=readonly -buildvcs=false",
        }
        made = Path(workshop) / "judge"
        command = [go, "build", "-trimpath", "-o", str(made), "."]
        ended = subprocess.run(command, cwd=SOURCES, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        made.replace(program)


if __name__ == "__main__":
    built()
