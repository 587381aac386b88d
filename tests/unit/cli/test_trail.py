"""What the command line tells of an audit file."""

import json
from pathlib import Path
from typing import Any

import pytest

from detour.cli.connection import CommandError
from detour.cli.trail import NO_OUTCOME, lines_of, trail_of
from detour.enactment.audit import SCHEMA

from .test_main import detour

AT = "2026-11-30T12:00:00Z"


def name(hostname: str = "api.example.org", record: str = "shop/api", action: str = "update", **sides: Any) -> Any:
    before, after = sides.get("before", ["192.0.2.1"]), sides.get("after", ["192.0.2.2"])
    told = {
        side: {"values": values, "ttl": 30} if values else None
        for side, values in (("before", before), ("after", after))
    }
    return {"hostname": hostname, "record": record, "action": action, "sets": [{"name": hostname, "type": "A", **told}]}


def intent(write: str, *names: Any, generation: str = "1.2") -> str:
    return json.dumps(
        {
            "schema": SCHEMA,
            "time": AT,
            "stage": "intent",
            "write": write,
            "zone": "dns/main",
            "generation": generation,
            "names": list(names),
        }
    )


def outcome(write: str, result: str, reason: str = "") -> str:
    told = {"schema": SCHEMA, "time": AT, "stage": "outcome", "write": write, "result": result}
    return json.dumps({**told, **({"reason": reason} if reason else {})})


def test_each_change_has_its_outcome_and_one_that_was_cut_off_says_so() -> None:
    lines = [intent("a", name()), intent("b", name(after=[])), outcome("a", "Unclear"), outcome("a", "Applied")]
    first, second = trail_of(lines).changes
    assert (first.before, first.after, first.result) == ("192.0.2.1", "192.0.2.2", "Applied")
    assert (second.after, second.result) == ("nothing", NO_OUTCOME)
    assert first.line(0.0).endswith("dns/main 1.2  update api.example.org: 192.0.2.1 -> 192.0.2.2  Applied")
    assert trail_of([*lines, outcome("b", "NotApplied", "Throttled")]).changes[1].line(0.0).endswith("(Throttled)")


def test_one_record_or_hostname_is_told_of_alone() -> None:
    other = name("www.example.org", "shop/www")
    lines = [intent("a", name(), other), outcome("a", "Applied")]
    for about in ("shop/www", "www.example.org"):
        (found,) = trail_of(lines, {about}).changes
        assert (found.hostname, found.result) == ("www.example.org", "Applied")
    assert not trail_of(lines, {"shop/nobody"}).changes


@pytest.mark.parametrize("odd", ["{", "null", "[]", "7", '{"schema": "another/v1"}', '{"stage": "intent"}', "\x00"])
def test_a_line_that_is_no_entry_is_counted_and_hides_no_other(odd: str) -> None:
    found = trail_of([odd, intent("a", name()), "", outcome("a", "Applied")])
    assert (len(found.changes), found.unread) == (1, 1)


@pytest.mark.parametrize("odd", [None, "x", 7, [None], [{"sets": "x"}], [{"sets": [{"after": 3}]}]])
def test_an_entry_of_another_shape_stops_nothing(odd: object) -> None:
    entry = json.dumps({"schema": SCHEMA, "stage": "intent", "write": "b", "names": odd})
    assert trail_of([entry, intent("a", name())]).changes[-1].hostname == "api.example.org"


def test_files_that_were_put_aside_come_first_the_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for suffix, write in ((".2", "a"), (".1", "b"), ("", "c")):
        (tmp_path / f"audit.jsonl{suffix}").write_text(intent(write, name(), generation=write) + "\n")
    assert [each.generation for each in trail_of(lines_of(path)).changes] == ["a", "b", "c"]
    with pytest.raises(CommandError, match="cannot be read"):
        list(lines_of(tmp_path / "nowhere"))


def test_the_command_needs_no_cluster_and_shows_the_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    lines = [intent(f"w{number}", name(after=[f"192.0.2.{number}"])) for number in range(5)]
    path.write_text("\n".join([*lines, "garbage"]))
    ended = detour("history", "--audit", str(path), "--last", "2")
    assert ended.returncode == 0, ended.stderr
    told = ended.stdout.splitlines()
    assert ["192.0.2.4" in told[0], "192.0.2.3" in told[1]] == [True, True]
    assert told[2:] == ["and 3 more: --last 5 shows all", "1 line was left out: it is no entry of an audit"]
    ended = detour("history", "shop/nobody", "--audit", str(path))
    assert f"{path} tells of no change of shop/nobody" in ended.stdout
    ended = detour("history")
    assert ended.returncode == 2
    assert "say of which record" in ended.stderr
