"""Tallies of a zone's names agree with a count of them, whatever happens in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from detour.enactment.census import Census

NAMES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.one_of(
    st.tuples(st.sampled_from(["wanted", "unwanted", "ours", "not ours", "owned", "disowned"]), NAMES),
    st.tuples(st.just("all seen"), st.frozensets(NAMES)),
)


@given(st.lists(STEPS))
def test_tallies_agree_with_a_count(steps: list[tuple[str, str | frozenset[str]]]) -> None:
    census, wanted, marked, owned = Census(), set[str](), set[str](), set[str]()
    for what, names in steps:
        for name in sorted(names) if isinstance(names, frozenset) else [names]:
            match what:
                case "wanted":
                    census.wanted(name)
                    wanted.add(name)
                case "unwanted":
                    census.unwanted(name)
                    wanted.discard(name)
                case "ours" | "not ours":
                    census.seen(name, is_ours=what == "ours")
                    (marked.add if what == "ours" else marked.discard)(name)
                case "owned":
                    census.owned(name)
                    owned.add(name)
                case "disowned":
                    census.disowned(name)
                    owned.discard(name)
        if what == "all seen":
            marked = set(names)
            census.all_seen(names)
        assert census.orphans == tuple(sorted(marked - wanted))
        assert census.missing == tuple(sorted(wanted - marked))
        assert census.owned_count == len(owned)
