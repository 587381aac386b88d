"""The settings of `detour probe`: each a flag, and an environment variable of the same name behind `DETOUR_`."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detour.app import settings


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """What a probe was started with.

    `vantage` names its Vantage, `lease` (namespace and name) the Lease in which it gives signs of life, both at the API
    server that `kubeconfig` leads to. Those that the operator has too are as in `Settings`.
    """

    vantage: str
    lease: tuple[str, str]
    kubeconfig: str | None = None
    namespaces: tuple[str, ...] = ()
    resolver: str | None = None
    allow_networks: tuple[str, ...] = ()
    deny_networks: tuple[str, ...] = ()
    checks_in_flight: int = 500
    reference_checks: tuple[str, ...] = ()
    listen: str = "0.0.0.0:8080"
    log_format: str = "human"
    log_level: str = "info"


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> ProbeSettings:
    """Read the settings from flags, and from the environment where a flag is missing. Exits with a message."""
    parser = argparse.ArgumentParser(
        prog="detour probe",
        description="Check the same endpoints from another place, and report what is found to the operator's cluster. "
        "Every flag can be given as an environment variable: --vantage is DETOUR_VANTAGE.",
    )
    parser.add_argument("--vantage", help="name of this place's Vantage object; required", type=settings.label)
    parser.add_argument(
        "--lease",
        help="namespace/name of the Lease in which this vantage gives signs of life; required",
        type=settings.lease_name,
    )
    settings.add_connection(parser)
    settings.add_checking(parser)
    settings.add_output(parser)
    given = settings.given_in(parser, arguments, environment)
    if given["vantage"] is None:
        parser.error("--vantage is missing: name the Vantage object of this place, such as --vantage=gcp-europe-west3")
    if given["lease"] is None:
        parser.error(
            "--lease is missing: name the Lease of this place, such as --lease=detour/vantage-gcp-europe-west3; an "
            "administrator creates it beside the Vantage"
        )
    return ProbeSettings(**{name: value for name, value in given.items() if value is not None})
