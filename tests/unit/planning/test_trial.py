"""What an edit has replaced, as far as a status tells of it."""

from detour.planning.trial import replaced_before

from .situations import record


def test_of_what_a_record_published_before_only_addresses_are_checked() -> None:
    """It may have published a target: no check of that can pass, and it would keep the new places waiting."""
    found = replaced_before(record(), ["lb.example.net.", "203.0.113.1"], ["192.0.2.1"])
    assert found is not None
    assert [each.address for each in found.targets] == ["203.0.113.1"]
    assert replaced_before(record(), ["lb.example.net."], ["192.0.2.1"]) is None
