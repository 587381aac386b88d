"""conformance: the one suite on the four emulated and the two real servers. `size` is not used."""

import asyncio
import re
import sys

from detour_lab.stage.stage import repository
from detour_lab.stories.acceptance import Say
from detour_lab.stories.scenarios.result import Result

BACKENDS = ("route53", "azuredns", "clouddns", "rfc2136", "bind", "knot")


async def play(size: int, say: Say) -> Result:
    """Run the suite and count its tests by backend."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "tests/conformance", "-v", "-p", "no:cacheprovider", "--durations=0"),
        cwd=repository(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode(errors="replace")
    outcomes = re.findall(r"^\S+\[([\w-]+?)\] (PASSED|FAILED|ERROR|SKIPPED)", text, re.MULTILINE)
    passed = {name: sum(1 for backend, what in outcomes if name in backend and what == "PASSED") for name in BACKENDS}
    bad = [pair for pair in outcomes if pair[1] != "PASSED"]
    if process.returncode != 0:
        say(text[-2000:])
    return Result(process.returncode == 0 and not bad and all(passed.values()), {**passed, "not_passed": len(bad)})
