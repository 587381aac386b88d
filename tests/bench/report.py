"""Write docs/performance.md and its plot from what `make bench` and `make bench-probers` have measured last."""

import json
import math
import os
import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "bench"
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "images" / "performance.svg"

ROWS = {
    "first_publication": ("first publication, s from the start", 1),
    "first_publication_cpu": ("CPU of the operator until then, s", 1),
    "all_ready": ("all Ready, s from the start", 1),
    "edit_median": ("one edit visible, s, median", 3),
    "edit_worst": ("one edit visible, s, worst", 3),
    "region_moved": ("a region fails: all names moved, s from the failure", 1),
    "detection": ("of that the bound of detection, s", 0),
    "region_moved_after_verdict": ("a region fails: all names moved after the first verdict, s", 1),
    "region_moved_cpu": ("CPU of the operator for that, s", 1),
    "idle_percent": ("idle, % of a core", 1),
    "idle_megabytes": ("memory, MB", 0),
    "scrape": ("one scrape of `/metrics`, s", 3),
    "longest_loop_lag": ("the event loop came late by less than, s", 2),
    "longest_loop_work": ("of that by its own work, less than, CPU s", 2),
    "restart_edit_works": ("restart: all statuses confirmed, and an edit works, s", 1),
}
"""Figures of one size, what they are called, and their digits."""

Figures = dict[str, float]

GROWING = ("first_publication", "all_ready", "region_moved_after_verdict", "idle_percent", "restart_edit_works")
"""Figures whose growth for each name is told."""

VANTAGE_ROWS = (
    ("idle_percent", "the operator idle, % of a core", 1),
    ("megabytes", "its memory, MB", 0),
    ("moved", "a region fails: all names moved, s from the failure", 1),
    ("moved_after_verdict", "all names moved after the first verdict, or the second vantage's, s", 1),
    ("moved_cpu", "CPU of the operator for that, s", 1),
)
"""Figures of one vantage and of three, what they are called, and their digits."""

DETECTION = ("region_moved", "detection")
"""Figures that only say something beside each other, and for all sizes."""

PLOTTED = {
    "all_ready": "#1f6feb",
    "first_publication": "#2da44e",
    "restart_edit_works": "#8250df",
    "region_moved_after_verdict": "#cf222e",
    "edit_median": "#9a6700",
}
WIDTH, HEIGHT, MARGIN = 760, 420, 60

AIMS = (
    (10_000, "first_publication", 20.0),
    (10_000, "all_ready", 60.0),
    (10_000, "edit_median", 0.1),
    (10_000, "edit_worst", 0.5),
    (10_000, "region_moved_after_verdict", 5.0),
    (10_000, "idle_percent", 3.0),
    (10_000, "idle_megabytes", 300.0),
    (10_000, "restart_edit_works", 20.0),
    (10_000, "scrape", 0.02),
    (10_000, "longest_loop_work", 0.1),
    (100_000, "first_publication", 360.0),
    (100_000, "region_moved_after_verdict", 60.0),
    (100_000, "idle_percent", 10.0),
    (100_000, "idle_megabytes", 700.0),
    (100_000, "restart_edit_works", 120.0),
    (100_000, "scrape", 0.02),
    (100_000, "longest_loop_work", 0.1),
)
"""How many names, which figure of theirs, and what it is to be at most."""

CLOUDS = {"route53": "Route 53", "azure": "Azure DNS"}

HEAD = """# Performance

What a number of names costs, on a real API server and a real BIND, everything on one machine of {cores} cores
({machine}), written by `make bench NAMES="{sizes}"` on {day}.
All records of this mix share their two targets; a name is one record in one zone, and a zone has 10,000 at most. The
operator's own CPU is told beside the time, as the API server, BIND and the bench use the same cores: "all Ready" waits
for the API server most, to which every name is a status to be written. A column is as old as its last run: 100,000
names take two hours, and are measured less often than the others.

![Cost by number of names](images/performance.svg)

"""


def table(runs: Sequence[dict[str, float]]) -> Iterator[str]:
    """Give the lines of the table."""
    yield "| | " + " | ".join(f"{run['names']:,.0f} names" for run in runs) + " | for each name |"
    yield "|---" * (len(runs) + 2) + "|"
    for key, (title, digits) in ROWS.items():
        if not all(key in run for run in runs) and (key in DETECTION or not any(key in run for run in runs)):
            continue
        cells = [_cell(run.get(key), digits) for run in runs]
        measured_ones = [run for run in runs if math.isfinite(run.get(key, math.inf))]
        growth = _growth(key, measured_ones[0], measured_ones[-1]) if len(measured_ones) > 1 else None
        told = f"x {growth:.1f}" if key in GROWING and growth is not None else ""
        yield f"| {title} | {' | '.join(cells)} | {told} |"


def _cell(value: float | None, digits: int) -> str:
    if value is None:
        return "not measured"
    return f"{value:,.{digits}f}" if math.isfinite(value) else "not reached"


def _growth(key: str, first: Figures, last: Figures) -> float:
    """Return how many times as much one name costs in the last as in the first."""
    return (last[key] / last["names"]) / max(first[key] / first["names"], 1e-9)


def aims(runs: Sequence[Figures]) -> Iterator[str]:
    """Give the lines about what is aimed at, and whether it is reached."""
    yield "## What is aimed at"
    yield ""
    yield "On 2 cores, with everything on one machine. What is not reached is a matter of CPU for each name, which is"
    yield "spread over all that is done for it: planning, the gate, the ledger, verification and the status."
    yield ""
    yield "| names | figure | aim, at most | measured | |"
    yield "|---|---|---|---|---|"
    for size, key, aim in AIMS:
        run = next((each for each in runs if each["names"] == size), {})
        title, digits = ROWS[key]
        value = run.get(key)
        verdict = "" if value is None else "reached" if value <= aim else "**not reached**"
        yield f"| {size:,} | {title} | {aim:g} | {_cell(value, digits)} | {verdict} |"
    yield ""


def sized(what: str) -> list[Figures]:
    """Return the figures of all sizes of one mix that were measured, the smallest first."""
    found = [json.loads(each.read_text()) for each in RESULTS.glob(f"{what}-*.json")]
    return sorted(found, key=lambda run: run["names"])


def own_targets() -> Iterator[str]:
    """Give the lines about names that share nothing, where they were measured."""
    runs = sized("https")
    if not runs:
        return
    yield "## Names with HTTPS targets of their own"
    yield ""
    yield "Each name is in two zones at two BINDs; its endpoints are hostnames, the first one dual stack, with HTTPS"
    yield "checks under its own SNI and Host: 3 targets, 2 look-ups and 2 records in DNS for each name. Intervals are"
    yield "so long that 250 checks are due in a second (`make bench MIX=https`). The API server, three BINDs and nginx,"
    yield "which answers the checks, use the same two cores."
    yield ""
    yield from table(runs)
    yield ""


def measured(what: str) -> dict[str, float] | None:
    """Return the figures of another bench, None where it was not run."""
    path = RESULTS / f"{what}.json"
    found: dict[str, float] | None = json.loads(path.read_text()) if path.exists() else None
    return found


def probers() -> Iterator[str]:
    """Give the lines about checks, where they were measured."""
    figures = measured("probers")
    if figures is None:
        return
    yield "## Checks"
    yield ""
    yield "Plain HTTP checks in one second of CPU, all probers in one run against one nginx (`make bench-probers`):"
    yield ""
    yield "| prober | checks per CPU-second | Detour's, beside it |"
    yield "|---|---|---|"
    for name, rate in figures.items():
        beside = "" if name == "detour" else f"x {figures['detour'] / rate:.2f}"
        yield f"| {name} | {rate:,.0f} | {beside} |"
    yield ""


def overload() -> Iterator[str]:
    """Give the lines about a prober that has too much to check, where that was measured."""
    told = measured("overload")
    if told is None:
        return
    yield "## Too much to check"
    yield ""
    times = told["all_known_after"] / told["bound"]
    yield (
        f"{told['targets']:,.0f} HTTPS targets, each with its own name, ask for twice as many checks as can be made "
        f"(`make bench-overload`). {told['checks_per_second']:,.0f} checks end in a second, and intervals settle at "
        f"{told['stretch']:.1f} times the {told['interval']:.0f} s that are declared. Half of them break: all of "
        f"these are known to fail after {told['all_known_after']:.0f} s, {times:.1f} times the bound of detection (the "
        "interval, and three rechecks with their timeouts), and nobody else is taken for failed."
    )
    yield ""


def sharding() -> Iterator[str]:
    """Give the lines about replicas that divide the zones, where they were measured."""
    told = measured("sharding")
    if told is None:
        return
    yield "## Three replicas"
    yield ""
    zones = ", ".join(f"{told[f'zones_{place}']:.0f}" for place in range(3))
    memory = ", ".join(f"{told[f'megabytes_{place}']:.0f}" for place in range(3))
    alone, empty, share = told["alone_megabytes"], told["empty_megabytes"], told["memory_share"]
    yield (
        f"{told['zones']:.0f} zones with {told['names']:,.0f} names, divided by three replicas on this one machine "
        f"(`make bench-sharding`): {zones} zones each. One operator alone holds {alone:.0f} MB, an empty one "
        f"{empty:.0f}, the three {memory}: {share:.2f} of what one alone holds above an empty one, at most. The one "
        f"with most zones, {told['zones_of_the_killed']:.0f}, is killed, and a record in each of these is edited at "
        f"that moment: all edits are visible {told['edits_visible_after']:.0f} s later, and all records confirmed "
        f"after {told['all_ready_after']:.0f} s. No zone goes to and fro."
    )
    yield ""


def vantages() -> Iterator[str]:
    """Give the lines about several vantages beside one, where they were measured."""
    told = measured("vantages")
    if told is None:
        return
    yield "## Three vantages"
    yield ""
    yield (
        f"{told['names']:,.0f} names with HTTPS targets of their own, three checks for each: one operator alone, then "
        "the same with two probes beside it (`make bench-vantages`). The probes use the same two cores, and checks in "
        "question three times as many, so what waits for a core takes longer here than it would anywhere else."
    )
    yield ""
    yield "| | one vantage | three | |"
    yield "|---|---|---|---|"
    for key, title, digits in VANTAGE_ROWS:
        one, three = told[f"{key}_1"], told[f"{key}_3"]
        yield f"| {title} | {one:.{digits}f} | {three:.{digits}f} | x {three / one:.2f} |"
    yield ""


def quotas() -> Iterator[str]:
    """Give the lines about moves under a quota, where they were measured."""
    found = {title: measured(f"quota-{cloud}") for cloud, title in CLOUDS.items()}
    if not any(found.values()):
        return
    yield "## Under a quota"
    yield ""
    yield "A region fails and all names of a zone move, within the quota that the cloud publishes and its emulator"
    yield "keeps (`make bench-quotas`). The floor is what the quota needs for so many replacements, whoever sends them:"
    yield ""
    yield "| cloud | names | floor, s | all moved, s from the verdict | | the important, s | others before them |"
    yield "|---|---|---|---|---|---|---|"
    for title, told in found.items():
        if told is not None:
            yield (
                f"| {title} | {told['names']:,.0f} | {told['floor']:.0f} | {told['moved']:.0f} | "
                f"x {told['times_floor']:.2f} | {told['important_moved']:.1f} (of {told['important']:.0f}) | "
                f"{told['others_before']:.0f} |"
            )
    yield ""


def plot(runs: Sequence[dict[str, float]]) -> str:
    """Return an SVG of times by number of names, both axes logarithmic."""
    sizes = [run["names"] for run in runs]
    values = [run[key] for run in runs for key in PLOTTED if math.isfinite(run.get(key, math.inf))]
    left, right = math.log10(min(sizes)), math.log10(max(sizes) * 1.001)
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def x(size: float) -> float:
        return MARGIN + (math.log10(size) - left) / max(right - left, 1e-9) * (WIDTH - 4 * MARGIN)

    def y(value: float) -> float:
        return HEIGHT - MARGIN - (math.log10(value) - low) / (high - low) * (HEIGHT - 2 * MARGIN)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12" role="img" aria-label="Seconds by number of names">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for power in range(low, high + 1):
        at = y(10.0**power)
        parts.append(f'<line x1="{MARGIN}" x2="{WIDTH - 3 * MARGIN}" y1="{at:.0f}" y2="{at:.0f}" stroke="#d0d7de"/>')
        parts.append(f'<text x="{MARGIN - 6}" y="{at + 4:.0f}" text-anchor="end">{10.0**power:g} s</text>')
    for size in sizes:
        parts.append(f'<text x="{x(size):.0f}" y="{HEIGHT - MARGIN + 20}" text-anchor="middle">{size:,.0f}</text>')
    for key, color in PLOTTED.items():
        points = [(x(run["names"]), y(run[key])) for run in runs if math.isfinite(run.get(key, math.inf))]
        if not points:
            continue
        line = " ".join(f"{across:.0f},{down:.0f}" for across, down in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        title = ROWS[key][0].split(",")[0].removesuffix(": all names moved after the first verdict")
        across, down = points[-1]
        parts.append(f'<text x="{across + 8:.0f}" y="{down + 4:.0f}" fill="{color}">{title}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Write the page from all sizes that were measured."""
    runs = sized("names")
    if not runs:
        raise SystemExit("nothing was measured yet: run make bench")
    head = HEAD.format(
        cores=os.cpu_count(),
        machine=platform.machine(),
        sizes=" ".join(f"{run['names']:.0f}" for run in runs),
        day=datetime.now(UTC).date().isoformat(),
    )
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    PLOT.write_text(plot(runs))
    more = (own_targets, probers, overload, quotas, sharding, vantages)
    PAGE.write_text(head + "\n".join([*table(runs), "", *aims(runs), *(line for each in more for line in each())]))
    print(f"wrote {PAGE.relative_to(ROOT)} and {PLOT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
