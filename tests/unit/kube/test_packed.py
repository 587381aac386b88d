"""Objects that wait packed to be taken in."""

from detour.kube.packed import AT_ONCE, PackedObjects


def test_objects_come_in_their_order_and_are_gone_once_they_were_taken() -> None:
    objects = [{"metadata": {"name": f"r{number}"}} for number in range(2 * AT_ONCE + 7)]
    packed = PackedObjects(objects[:5])
    packed.add(iter(objects[5:]))
    assert len(packed) == len(objects)
    assert list(packed) == objects
    assert len(packed) == len(objects), "to look at them takes none"
    assert list(packed.take()) == objects
    assert (len(packed), list(packed)) == (0, [])


def test_what_is_taken_is_not_kept_while_the_rest_waits() -> None:
    packed = PackedObjects({"number": number} for number in range(3 * AT_ONCE))
    taking = packed.take()
    assert next(taking) == {"number": 0}
    assert len(packed) == 2 * AT_ONCE
