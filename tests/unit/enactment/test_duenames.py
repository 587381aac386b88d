"""Whose turn it is while a quota makes names wait: urgency, importance, and then one namespace after the other."""

import itertools

from detour.enactment.duenames import DueNames
from detour.enactment.managedname import ManagedName
from detour.enactment.wishes import Urgency, Wish
from detour.model.record import Importance, ObjectKey


def a_name(label: str, namespace: str = "shop", importance: Importance = Importance.NORMAL) -> ManagedName:
    key = ObjectKey(namespace, label)
    wish = Wish(key, "uid", 1.0, f"{label}.example.org", None, importance=importance)
    return ManagedName(wish.hostname, wishes={key: wish})


def order(due: DueNames) -> list[str]:
    return [each.hostname.split(".")[0] for each in due.in_turn()]


def test_urgency_comes_before_importance() -> None:
    due = DueNames()
    due.put(a_name("repair", importance=Importance.HIGH), Urgency.REPAIR)
    due.put(a_name("low", importance=Importance.LOW), Urgency.FAILOVER)
    due.put(a_name("normal"), Urgency.FAILOVER)
    due.put(a_name("high", importance=Importance.HIGH), Urgency.FAILOVER)
    assert order(due) == ["high", "normal", "low", "repair"]
    assert due.urgency is Urgency.FAILOVER


def test_namespaces_take_turns() -> None:
    due = DueNames()
    for number in range(5):
        due.put(a_name(f"a{number}", "a"), Urgency.FAILOVER)
    due.put(a_name("b0", "b"), Urgency.FAILOVER)
    due.put(a_name("c0", "c"), Urgency.FAILOVER)
    assert order(due) == ["a0", "b0", "c0", "a1", "a2", "a3", "a4"]


def test_who_was_looked_at_comes_last_the_next_time() -> None:
    due = DueNames()
    for label in ("one", "two", "three"):
        due.put(a_name(label), Urgency.REPAIR)
    assert [each.hostname for each in itertools.islice(due.in_turn(), 2)] == ["one.example.org", "two.example.org"]
    assert order(due) == ["three", "one", "two"]


def test_who_did_not_fit_comes_first() -> None:
    due = DueNames()
    names = [a_name("one", "a"), a_name("two", "b"), a_name("three", "a")]
    for name in names:
        due.put(name, Urgency.REPAIR)
    given = list(itertools.islice(due.in_turn(), 2))
    due.first_again(given[-1])
    assert order(due)[0] == "two"


def test_names_may_come_and_go_while_the_others_have_their_turn() -> None:
    due = DueNames()
    names = {label: a_name(label, label[0]) for label in ("a1", "a2", "b1", "b2", "c1")}
    for name in names.values():
        due.put(name, Urgency.REPAIR)
    seen = []
    for name in due.in_turn():
        seen.append(name.hostname.split(".")[0])
        due.drop(name)
        if seen == ["a1"]:
            due.drop(names["b1"])
            due.put(names["b2"], Urgency.FAILOVER)
            due.put(a_name("d1", "d"), Urgency.REPAIR)
    assert set(seen) >= {"a1", "a2", "c1"}
    assert "b1" not in seen
    assert len(seen) == len(set(seen))
    assert {each.hostname for each in due.in_turn()} >= {"d1.example.org"} - {f"{each}.example.org" for each in seen}


def test_a_name_that_becomes_more_urgent_or_more_important_changes_its_place() -> None:
    due, name, other = DueNames(), a_name("one"), a_name("other")
    due.put(other, Urgency.REPAIR)
    due.put(name, Urgency.HOUSEKEEPING)
    due.put(name, Urgency.FAILOVER)
    assert (len(due), order(due)) == (2, ["one", "other"])
    key = next(iter(other.wishes))
    other.wishes[key] = Wish(key, "uid", 1.0, other.hostname, None, importance=Importance.HIGH)
    due.renew(other)
    due.put(other, Urgency.FAILOVER)
    assert order(due) == ["other", "one"]
    due.renew(name)
    assert order(due) == ["other", "one"], "nothing is new"
    due.drop(other)
    due.drop(other)
    assert order(due) == ["one"]


def test_who_is_put_aside_is_due_and_has_no_turn_until_it_is_taken_up() -> None:
    due, aside, other = DueNames(), a_name("aside"), a_name("other")
    due.put(aside, Urgency.FAILOVER)
    due.put(other, Urgency.REPAIR)
    due.put_aside(aside)
    due.put_aside(aside)
    due.first_again(aside)
    assert (order(due), len(due), due.urgency) == (["other"], 2, Urgency.REPAIR)
    due.take_up(aside.hostname)
    due.take_up(other.hostname)
    assert (order(due), due.urgency) == (["aside", "other"], Urgency.FAILOVER)


def test_who_is_put_aside_may_become_more_urgent_or_go() -> None:
    due, urgent, gone = DueNames(), a_name("urgent"), a_name("gone")
    for name in (urgent, gone):
        due.put(name, Urgency.HOUSEKEEPING)
        due.put_aside(name)
    due.put(urgent, Urgency.FAILOVER)
    due.drop(gone)
    due.take_up(gone.hostname)
    assert (order(due), len(due)) == (["urgent"], 1)
