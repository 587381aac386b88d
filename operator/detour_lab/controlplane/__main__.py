"""Put the control plane's programs in place: `python -m detour_lab.controlplane`.

The last line of stdout is the folder that holds them, for a Makefile or a shell to use; everything else goes to
stderr.
"""

from __future__ import annotations

import os
import sys

from detour_lab.controlplane.build import BuildError
from detour_lab.controlplane.cache import Cache
from detour_lab.controlplane.programs import UnusableProgramError
from detour_lab.controlplane.search import find_binaries


def tools() -> int:
    """Find or build the programs and print their folder; returns the exit status."""
    try:
        binaries = find_binaries()
    except (BuildError, UnusableProgramError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the next run goes on from here", file=sys.stderr)
        return 130
    folder = binaries.common_folder()
    if folder is None:
        # Found in several places, where no single folder could be printed.
        folder = Cache.of_user(os.environ).links
        binaries.link_into(folder)
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(tools())
