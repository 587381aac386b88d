"""What each fault of a schedule does to a run."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from detour.model.objects import Kind
from detour_simulation import canaries, claimants, dnszones, outsiders
from detour_simulation.controller import LEASE
from detour_simulation.history import BlindChanged, ClockJumped
from detour_simulation.hostnames import addresses_of
from detour_simulation.schedule import Fault, Step
from detour_simulation.weather import WRITE, Sky, Strike, Weather

if TYPE_CHECKING:
    from detour_simulation.run import Run
    from detour_simulation.slot import Slot

SECRET_KNOWN = 45.0
"""Seconds until everybody has read a Secret that was replaced; who replaces it again before that leaves no way in."""

Act = Callable[["Run", Step], None]


THEFTS_APART = 0.7
"""Seconds between two things that somebody writes with a stolen token."""


def _crash(run: "Run", step: Step) -> None:
    slot = run.slots[step.where]
    slot.restart_after = step.seconds
    slot.crash()


def _strike(strike: Strike, services: Callable[["Run"], str]) -> Act:
    def act(run: "Run", step: Step) -> None:
        slot = run.slots[step.where]
        slot.restart_after = step.seconds
        if slot.controller is not None:
            slot.controller.caller.arm(strike, services(run), step.number)

    return act


def _any_service(run: "Run") -> str:
    return ""


def _pause(run: "Run", step: Step) -> None:
    run.slots[step.where].pause(step.seconds)


def _stop(run: "Run", step: Step) -> None:
    slot = run.slots[step.where]
    slot.restart_after = step.seconds
    slot.stop()


def _jump(run: "Run", step: Step) -> None:
    controller = run.slots[step.where].controller
    if controller is not None:
        controller.wall_offset += step.number
        run.history.add(ClockJumped(at=run.loop.now, controller=step.where))


def _weather(sky: Sky, *, writes_only: bool = False, reads_only: bool = False) -> Act:
    def act(run: "Run", step: Step) -> None:
        run.network.bring(
            Weather(
                sky=sky,
                service=step.where,
                until=run.loop.now + step.seconds,
                share=step.share,
                strength=float(step.number or 2),
                writes_only=writes_only,
                reads_only=reads_only,
            )
        )

    return act


def _lag(run: "Run", step: Step) -> None:
    zone = run.surroundings.zones[step.where]
    zone.lag = float(step.number)

    def catch_up() -> None:
        zone.lag = 0.0

    run.loop.later(step.seconds, catch_up)


def _servers_away(run: "Run", step: Step) -> None:
    run.network.bring(Weather(sky=Sky.AWAY, service=f"dns-{step.where}", until=run.loop.now + step.seconds))


def _api_away(run: "Run", step: Step) -> None:
    run.servers[step.where].break_watches()
    sky = Sky.AWAY if step.number % 2 else Sky.REFUSING
    run.network.bring(Weather(sky=sky, service=f"api-{step.where}", until=run.loop.now + step.seconds))


def _api_slow(run: "Run", step: Step) -> None:
    run.network.bring(
        Weather(sky=Sky.SLOW, service=f"api-{step.where}", until=run.loop.now + step.seconds, strength=4.0)
    )


def _api_cut_off(run: "Run", step: Step) -> None:
    _cut_off_from_api(run, run.slots[step.where], step.seconds)


def _cut_off_from_api(run: "Run", slot: "Slot", seconds: float) -> None:
    if slot.controller is not None:
        slot.controller.lose_watch()
    service = f"api-{slot.server.site}"
    run.network.bring(Weather(sky=Sky.AWAY, service=service, until=run.loop.now + seconds, caller=slot.name))


def _break_watches(run: "Run", step: Step) -> None:
    run.servers[step.where].break_watches()


def _deaf(run: "Run", step: Step) -> None:
    for watch in run.servers[step.where].watches:
        watch.is_deaf = True
        run.loop.later(step.seconds, watch.end)


def _fall_behind(run: "Run", step: Step) -> None:
    controller = run.slots[step.where].controller
    if controller is not None and controller.is_alive:
        controller.fall_behind(step.seconds)


def _blind(run: "Run", step: Step) -> None:
    _blindfold(run, step.where, step.seconds)


def _blindfold(run: "Run", name: str, seconds: float, *, sees_dns: bool = False) -> None:
    blind = run.surroundings.unchecked if sees_dns else run.surroundings.blind
    blind[name] = blind.get(name, 0) + 1
    if blind[name] == 1:
        run.history.add(BlindChanged(at=run.loop.now, controller=name, blind=True, sees_dns=sees_dns))

    def see() -> None:
        blind[name] -= 1
        if blind[name] == 0:
            run.history.add(BlindChanged(at=run.loop.now, controller=name, blind=False, sees_dns=sees_dns))

    run.loop.later(seconds, see)


def _checks_fail(run: "Run", step: Step) -> None:
    _blindfold(run, step.where, step.seconds, sees_dns=True)


def _amiss(run: "Run", name: str, seconds: float, faults: dict[str, int]) -> None:
    """Count a fault of `name` among `faults` for so long."""
    faults[name] = faults.get(name, 0) + 1

    def over() -> None:
        faults[name] -= 1

    run.loop.later(seconds, over)


def _vantage_lies(run: "Run", step: Step) -> None:
    _amiss(run, step.where, step.seconds, run.surroundings.lying)


def _vantages_inward(run: "Run", step: Step) -> None:
    _amiss(run, step.where, step.seconds, run.surroundings.inward)


def _vantage_gone(run: "Run", step: Step) -> None:
    if (probe := run.probes.get(step.where)) is not None:
        probe.end()
        run.loop.later(step.seconds, probe.start)


def _vantage_cut_off(run: "Run", step: Step) -> None:
    if (probe := run.probes.get(step.where)) is not None:
        probe.lose_watch()
        (site, *_) = run.servers
        until = run.loop.now + step.seconds
        run.network.bring(Weather(sky=Sky.AWAY, service=f"api-{site}", until=until, caller=probe.name))


def _vantage_stolen(run: "Run", step: Step) -> None:
    probe, until = run.probes.get(step.where), run.loop.now + step.seconds

    def write() -> None:
        if probe is not None and run.loop.now < until:
            probe.abuse_token()
            run.loop.later(THEFTS_APART, write)

    write()


def _vantage_clock(run: "Run", step: Step) -> None:
    run.surroundings.clock_errors[step.where] = float(step.number)
    run.loop.later(step.seconds, lambda: run.surroundings.clock_errors.pop(step.where, None))


def _all_off(run: "Run", step: Step) -> None:
    """A power cut of hours: everybody is stopped, killed or stands still, and goes on at one time."""
    for place, slot in enumerate(run.slots.values()):
        way = (step.number + place) % 3
        slot.restart_after = step.seconds
        if way == 0 and slot.is_running:
            slot.stop()
        elif way == 2:
            slot.pause(step.seconds)
        else:
            slot.crash()


def _reads_old(run: "Run", step: Step) -> None:
    zone = run.surroundings.zones[step.where]
    zone.read_lag = float(step.number)

    def catch_up() -> None:
        zone.read_lag = 0.0

    run.loop.later(step.seconds, catch_up)


def _secret_rotated(run: "Run", step: Step) -> None:
    zone = run.surroundings.zones[step.where]
    if run.loop.now >= zone.rotation_over:
        zone.rotation_over = run.loop.now + step.seconds + SECRET_KNOWN
        run.replace_secret(step.where, f"refused {step.number}")
        run.loop.later(step.seconds, _give_good_secret, run, step)


def _secret_revoked(run: "Run", step: Step) -> None:
    zone = run.surroundings.zones[step.where]
    if run.loop.now >= zone.rotation_over:
        zone.rotation_over = run.loop.now + SECRET_KNOWN
        _give_good_secret(run, step)


def _give_good_secret(run: "Run", step: Step) -> None:
    """A new Secret is accepted; half of the time the old one is no more."""
    good = f"good {step.at}"
    zone = run.surroundings.zones[step.where]
    zone.accepted = {good, *(each for each in zone.accepted if step.number % 2)}
    run.replace_secret(step.where, good)


def _site_lost(run: "Run", step: Step) -> None:
    until = run.loop.now + step.seconds
    for slot in run.slots.values():
        if slot.server.site == step.where:
            _blindfold(run, slot.name, step.seconds)
            _cut_off_from_api(run, slot, step.seconds)
            for zone in run.surroundings.zones:
                for service in (zone, f"dns-{zone}"):
                    run.network.bring(Weather(sky=Sky.AWAY, service=service, until=until, caller=slot.name))


def _status_lost(run: "Run", step: Step) -> None:
    run.servers[step.where].lose_status()


def _status_restored(run: "Run", step: Step) -> None:
    if step.number < len(run.api_backups):
        run.servers[step.where].lose_status(run.api_backups[step.number][step.where])


def _recreated(run: "Run", step: Step) -> None:
    run.servers[step.where].recreate(Kind.FAILOVER_RECORD)


def _api_restored(run: "Run", step: Step) -> None:
    if step.number < len(run.api_backups):
        run.servers[step.where].restore(run.api_backups[step.number][step.where])
        run.loop.later(5.0, run.follow_desired, run.servers[step.where])


def _lease_lost(run: "Run", step: Step) -> None:
    leases = run.servers[step.where].leases
    if leases and run.schedule.setting.sharding:  # any of them
        leases.pop(sorted(leases)[step.number % len(leases)])
    else:
        leases.pop(LEASE, None)


# -- declarations --------------------------------------------------------------------------------------------------


def _drained(run: "Run", step: Step) -> None:
    _set_state(run, step, "Drained")
    run.loop.later(step.seconds, _set_state, run, step, "Active")


def _set_state(run: "Run", step: Step, state: str) -> None:
    if spec := run.desired.get(step.where):
        place = step.number % len(spec["endpoints"])
        changed = [
            {**each, "state": state} if number == place else each for number, each in enumerate(spec["endpoints"])
        ]
        run.declare(step.where, {**spec, "endpoints": changed})


def _region_drained(run: "Run", step: Step) -> None:
    def declare(state: str) -> None:
        (run.drained_regions.add if state == "Drained" else run.drained_regions.discard)(step.where)
        for server in run.servers.values():
            server.change(Kind.CLOUD_REGION, step.where, "", state=state)

    declare("Drained")
    run.loop.later(step.seconds, declare, "Active")


def _endpoint_added(run: "Run", step: Step) -> None:
    if (spec := run.desired.get(step.where)) and len(spec["endpoints"]) < 5:
        number = len(spec["endpoints"]) + 1
        added = {
            "name": f"n{step.number}",
            "region": "aws-eu-west-1",
            "addresses": [f"198.51.100.{step.number}"],
            "priority": number,
        }
        if all(each["name"] != added["name"] for each in spec["endpoints"]):
            run.declare(step.where, {**spec, "endpoints": [*spec["endpoints"], added]})


def _endpoint_removed(run: "Run", step: Step) -> None:
    if (spec := run.desired.get(step.where)) and len(spec["endpoints"]) > 1:
        place = step.number % len(spec["endpoints"])
        kept = [each for number, each in enumerate(spec["endpoints"]) if number != place]
        run.declare(step.where, {**spec, "endpoints": kept})


def _ttl(run: "Run", step: Step) -> None:
    if spec := run.desired.get(step.where):
        run.declare(step.where, {**spec, "ttl": 10 + step.number})


def _suspended(run: "Run", step: Step) -> None:
    def suspend(wanted: bool) -> None:
        if spec := run.desired.get(step.where):
            run.declare(step.where, {**spec, "suspend": wanted})

    suspend(True)
    run.loop.later(step.seconds, suspend, False)


def _pinned(run: "Run", step: Step) -> None:
    """Pin to what the status tells of; not where there are several sites, each with a count of its own."""
    if len(run.servers) > 1 or not (revisions := run.revisions(step.where)):
        return
    number = revisions[step.number % len(revisions)]
    run.pin(step.where, number)
    run.loop.later(step.seconds, run.pin, step.where, None)


OVERRIDING = ("Drain", "ForceDown", "ForceUp", "ForceUp", "Freeze")
"""What is overridden: of these actions one."""


def _overridden(run: "Run", step: Step) -> None:
    """Set something above the verdicts that ends by itself, in every site."""
    if spec := run.desired.get(step.where):
        action = OVERRIDING[step.number % len(OVERRIDING)]
        endpoints = spec["endpoints"]
        place = endpoints[step.number // len(OVERRIDING) % len(endpoints)]["name"]
        about = {} if action == "Freeze" else {"endpoint": place}
        run.override(step.where, action, step.seconds, **about)


def _deleted(run: "Run", step: Step) -> None:
    if spec := run.desired.get(step.where):
        run.undeclare(step.where)

        def again() -> None:
            if step.where not in run.desired:
                run.declare(step.where, run.dns_zones.current(spec))

        run.loop.later(step.seconds, again)


def _dropped(run: "Run", step: Step) -> None:
    run.undeclare(step.where)


def _created(run: "Run", step: Step) -> None:
    if step.where not in run.desired:
        spec = next(each.spec for each in run.schedule.setting.records if each.name == step.where)
        run.declare(step.where, run.dns_zones.current(spec))


def _frozen(run: "Run", step: Step) -> None:
    run.freeze(step.where, 1)
    run.loop.later(step.seconds, run.freeze, step.where, -1)


def _all_deleted(run: "Run", step: Step) -> None:
    for name in tuple(run.desired):
        run.undeclare(name)


# -- endpoints -----------------------------------------------------------------------------------------------------


def _fail(run: "Run", addresses: list[str], seconds: float) -> None:
    for address in addresses:
        run.fail(address)
        run.loop.later(seconds, run.recover, address)


def _endpoint_fails(run: "Run", step: Step) -> None:
    _fail(run, step.where.split(" and "), step.seconds)


def _endpoint_recovers(run: "Run", step: Step) -> None:
    for address in step.where.split(" and "):
        run.support(address)
        run.loop.later(step.seconds, run.unsupport, address)


def _hostname_moves(run: "Run", step: Step) -> None:
    if step.where:
        run.move(step.where)


def _region_fails(run: "Run", step: Step) -> None:
    _fail(run, addresses_in(run, step.where), step.seconds)


def _canary_fails(run: "Run", step: Step) -> None:
    _fail(run, [canaries.address(step.where)], step.seconds)


def _signal_stands(run: "Run", step: Step) -> None:
    spoken_of = run.surroundings.spoken_of

    def change(by: int) -> None:
        spoken_of[step.where] = spoken_of.get(step.where, 0) + by

    change(1)
    run.loop.later(step.seconds, change, -1)


def _signals_away(run: "Run", step: Step) -> None:
    def change(by: int) -> None:
        run.surroundings.page_away += by

    change(1)
    run.loop.later(step.seconds, change, -1)


def _everything_fails(run: "Run", step: Step) -> None:
    _fail(run, addresses_in(run, None), step.seconds)


def addresses_in(run: "Run", region: str | None) -> list[str]:
    """Return the addresses of a region's endpoints, of all for None, in an order that is always the same."""
    found = {
        address: None
        for record in run.schedule.setting.records
        for endpoint in record.spec["endpoints"]
        if region in (None, endpoint["region"])
        for address in addresses_of(endpoint)
    }
    return list(found)


FAULTS: Mapping[Fault, Act] = {
    Fault.CRASH: _crash,
    Fault.CRASH_BEFORE: _strike(Strike.CRASH_BEFORE, _any_service),
    Fault.CRASH_AFTER: _strike(Strike.CRASH_AFTER, _any_service),
    Fault.CRASH_BEFORE_WRITE: _strike(Strike.CRASH_BEFORE, lambda run: WRITE),
    Fault.CRASH_AFTER_WRITE: _strike(Strike.CRASH_AFTER, lambda run: WRITE),
    Fault.CANCEL_BEFORE: _strike(Strike.CANCEL_BEFORE, _any_service),
    Fault.CANCEL_AFTER: _strike(Strike.CANCEL_AFTER, _any_service),
    Fault.PAUSE: _pause,
    Fault.STOP: _stop,
    Fault.WALL_CLOCK_JUMPS: _jump,
    Fault.SLOW: _weather(Sky.SLOW),
    Fault.LOST_BEFORE: _weather(Sky.LOST_BEFORE),
    Fault.LOST_AFTER: _weather(Sky.LOST_AFTER, writes_only=True),
    Fault.LATE: _weather(Sky.LATE, writes_only=True),
    Fault.THROTTLED: _weather(Sky.THROTTLED),
    Fault.PROVIDER_AWAY: _weather(Sky.AWAY),
    Fault.PROVIDER_REFUSES: _weather(Sky.REFUSING),
    Fault.READS_FAIL: _weather(Sky.AWAY, reads_only=True),
    Fault.READS_SLOW: _weather(Sky.SLOW, reads_only=True),
    Fault.ODD_ERRORS: _weather(Sky.ODD_ERROR),
    Fault.ODD_ANSWERS: _weather(Sky.ODD_ANSWER),
    Fault.SERVERS_LAG: _lag,
    Fault.SERVERS_AWAY: _servers_away,
    Fault.API_AWAY: _api_away,
    Fault.API_SLOW: _api_slow,
    Fault.API_CUT_OFF: _api_cut_off,
    Fault.WATCHES_BREAK: _break_watches,
    Fault.WATCHES_DEAF: _deaf,
    Fault.DECLARATIONS_OLD: _fall_behind,
    Fault.BLIND: _blind,
    Fault.SITE_LOST: _site_lost,
    Fault.CHECKS_FAIL: _checks_fail,
    Fault.VANTAGE_LIES: _vantage_lies,
    Fault.VANTAGE_GONE: _vantage_gone,
    Fault.VANTAGE_CUT_OFF: _vantage_cut_off,
    Fault.VANTAGE_STOLEN: _vantage_stolen,
    Fault.VANTAGE_CLOCK: _vantage_clock,
    Fault.VANTAGES_INWARD: _vantages_inward,
    Fault.ALL_OFF: _all_off,
    Fault.READS_OLD: _reads_old,
    Fault.KEY_ROTATED: _secret_rotated,
    Fault.KEY_REVOKED: _secret_revoked,
    Fault.CLAIMED: claimants.claimed,
    Fault.STATUS_LOST: _status_lost,
    Fault.STATUS_RESTORED: _status_restored,
    Fault.RECORDS_RECREATED: _recreated,
    Fault.API_RESTORED: _api_restored,
    Fault.LEASE_LOST: _lease_lost,
    Fault.DRAINED: _drained,
    Fault.REGION_DRAINED: _region_drained,
    Fault.ENDPOINT_ADDED: _endpoint_added,
    Fault.ENDPOINT_REMOVED: _endpoint_removed,
    Fault.TTL_DECLARED: _ttl,
    Fault.SUSPENDED: _suspended,
    Fault.OVERRIDDEN: _overridden,
    Fault.PINNED: _pinned,
    Fault.RECORD_DELETED: _deleted,
    Fault.RECORD_DROPPED: _dropped,
    Fault.RECORD_CREATED: _created,
    Fault.FROZEN: _frozen,
    Fault.ALL_DELETED: _all_deleted,
    Fault.ENDPOINT_FAILS: _endpoint_fails,
    Fault.ENDPOINT_RECOVERS: _endpoint_recovers,
    Fault.ADDRESS_FAILS: _endpoint_fails,
    Fault.HOSTNAME_MOVES: _hostname_moves,
    Fault.REGION_FAILS: _region_fails,
    Fault.CANARY_FAILS: _canary_fails,
    Fault.SIGNAL_STANDS: _signal_stands,
    Fault.SIGNALS_AWAY: _signals_away,
    Fault.EVERYTHING_FAILS: _everything_fails,
    **dnszones.FAULTS,
    **outsiders.FAULTS,
}
