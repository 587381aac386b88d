"""Find the four programs on this machine, or make them, and say which were taken.

The places are tried in this order, the most deliberate choice first:

1. the folder in `KUBEBUILDER_ASSETS`, which is how operators' tests are usually told. Kubebuilder's own folder has no
   helm in it, so that one may come from `PATH`;
2. `PATH`;
3. the cache, where an earlier run left what it built;
4. a build from Go modules into the cache.

Programs of 1 and 2 are taken only when all four are there and close to the pinned versions, otherwise the report
says what was wrong with them.

Official release archives are not downloaded: nothing fetched without a pinned checksum is run here, and checksums
of these releases could not be had from an independent place. Go modules are checked against go.sum.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from detour_lab.controlplane.build import Builder
from detour_lab.controlplane.cache import Cache, Report
from detour_lab.controlplane.programs import HELM_CLIENT, PROGRAMS, Binaries, UnusableProgramError, require_fitting


def report_to_stderr(line: str) -> None:
    """The usual report: each line on stderr, where it doesn't mix with results."""
    print(f"control plane: {line}", file=sys.stderr, flush=True)


def find_binaries(
    *,
    environment: Mapping[str, str] | None = None,
    cache: Cache | None = None,
    report: Report = report_to_stderr,
) -> Binaries:
    """The four programs from the first place that has them; builds them where no place does.

    `environment` is `os.environ` unless given, `cache` the user's. Returns within a second unless it has to build,
    which takes minutes and is reported as it goes. Raises `build.BuildError` when that fails.
    """
    environment = os.environ if environment is None else environment
    cache = Cache.of_user(environment) if cache is None else cache
    found = (
        _from_assets(environment, report)
        or _from_path(environment, report)
        or _from_cache(cache)
        or _from_build(cache, environment, report)
    )
    report(f"using {found.source}")
    return found


def _from_assets(environment: Mapping[str, str], report: Report) -> Binaries | None:
    folder = environment.get("KUBEBUILDER_ASSETS", "")
    if not folder:
        return None
    paths = _look_in(folder)
    if HELM_CLIENT.name not in paths:
        paths |= _look_in(environment.get("PATH", ""), only=HELM_CLIENT.name)
    return _judged(paths, f"KUBEBUILDER_ASSETS ({folder})", report)


def _from_path(environment: Mapping[str, str], report: Report) -> Binaries | None:
    paths = _look_in(environment.get("PATH", ""))
    if not paths:
        return None  # nothing there to explain
    return _judged(paths, "PATH", report)


def _from_cache(cache: Cache) -> Binaries | None:
    return Binaries.from_folder(cache.folder, f"the cache ({cache.folder})") if cache.complete() else None


def _from_build(cache: Cache, environment: Mapping[str, str], report: Report) -> Binaries:
    with cache.locked(report):
        if not cache.complete():  # the run that held the lock before us may have built them
            Builder(cache, environment, report).build()
    return Binaries.from_folder(cache.folder, f"what was built just now ({cache.folder})")


def _look_in(folders: str, only: str | None = None) -> dict[str, Path]:
    """The programs that are in a list of folders, in the form of `PATH`."""
    names = [program.name for program in PROGRAMS] if only is None else [only]
    found = {name: shutil.which(name, path=folders) for name in names}
    return {name: Path(path).absolute() for name, path in found.items() if path is not None}


def _judged(paths: dict[str, Path], place: str, report: Report) -> Binaries | None:
    """The programs when they are complete and fit, otherwise None and a report of why."""
    missing = [program.name for program in PROGRAMS if program.name not in paths]
    if missing:
        report(f"not from {place}: it has no {', no '.join(missing)}")
        return None
    try:
        versions = require_fitting(paths)
    except UnusableProgramError as error:
        report(f"not from {place}: {error}")
        return None
    return Binaries.from_paths(paths, f"{place}: {versions}")
