"""Which region was probably meant by a name that nobody knows."""

import pytest

from detour.health.regionnames import nearest_region

DECLARED = ["aws-us-east-1", "azure-westeurope", "gcp-europe-west3"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("aws-us-esat-1", "aws-us-east-1"),
        ("azure-westeurop", "azure-westeurope"),
        ("us-east-1", "aws-us-east-1"),
        ("westeurope", "azure-westeurope"),
        ("aws-us-east-1", None),
        ("aws-us-east-2", None),
        ("on-premises", None),
    ],
)
def test_a_slip_of_the_pen_is_told_from_a_region_that_is_not_declared(name: str, meant: str | None) -> None:
    assert nearest_region(name, declared=DECLARED, used=[*DECLARED, name]) == meant


def test_without_declared_regions_only_the_tail_of_a_name_in_use_is_odd() -> None:
    used = ["aws-us-east-1", "us-east-1", "aws-us-esat-1"]
    assert nearest_region("us-east-1", declared=[], used=used) == "aws-us-east-1"
    assert nearest_region("aws-us-esat-1", declared=[], used=used) is None
