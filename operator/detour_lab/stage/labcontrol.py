"""Commands to a running lab, as people type them: on its terminal, or with curl from another one.

curl --data 'break aws-us-east-1' http://127.53.0.1:8053
"""

import inspect
import shlex
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from detour_lab.clouds.apiserver import APIServer
from detour_lab.clouds.clouds import API_PORT
from detour_lab.faults import ANY, Fault, FaultKind
from detour_lab.services.services import Mode
from detour_lab.stage.lab import Lab

HELP = f"""break REGION                        its services refuse, its regional API's name answers nothing
mend REGION                         everything there works again
service REGION NAME MODE [SECONDS]  one service: {", ".join(Mode)}
vanish REGION HOSTNAME              a name of the cloud answers nothing
restore REGION HOSTNAME             and has its address again
edit ZONE NAME TYPE [VALUE ...]     change a set behind Detour's back; without a value it is removed
fault ZONE KIND [operation=NAME] [seconds=N] [times=N]
                                    a fault of the zone's API: {", ".join(FaultKind)}
clear ZONE                          no more faults there
lag ZONE SECONDS                    its name server follows its API by so much
status                              what is broken, and every name that can be given above"""


class UnknownCommandError(ValueError):
    """Nothing was done; the message says what could have been typed."""


async def obey(lab: Lab, line: str) -> str:
    """Carry out one command and return what to tell. Raises ValueError, with a sentence, where it makes no sense."""
    words = shlex.split(line)
    if not words or words == ["help"]:
        return HELP
    handler = _HANDLERS.get(words[0])
    if handler is None:
        raise UnknownCommandError(f"there is no command {words[0]!r}; these are known:\n{HELP}")
    try:
        inspect.signature(handler).bind(lab, *words[1:])
    except TypeError as error:
        # A wrong number of words is a wrong number of arguments.
        usage = next(each for each in HELP.splitlines() if each.startswith(words[0]))
        raise UnknownCommandError(f"write it as: {usage}") from error
    return await handler(lab, *words[1:])


async def _break(lab: Lab, region: str, /) -> str:
    await lab.break_region(region)
    return f"{region} is broken: its services refuse, {lab.region(region).regional_api} answers nothing"


async def _mend(lab: Lab, region: str, /) -> str:
    await lab.mend_region(region)
    return f"{region} works again"


async def _service(lab: Lab, region: str, name: str, mode: str, seconds: str = "0", /) -> str:
    await lab.set_service(region, name, _mode(mode), seconds=_number(seconds))
    return f"{name} in {region} is {mode}"


async def _vanish(lab: Lab, region: str, hostname: str, /) -> str:
    lab.region(region).vanish(hostname)
    return f"{hostname} answers nothing"


async def _restore(lab: Lab, region: str, hostname: str, /) -> str:
    lab.region(region).restore(hostname)
    return f"{hostname} has its address again"


async def _edit(lab: Lab, zone: str, name: str, rrtype: str, /, *values: str) -> str:
    await lab.edit(zone, name, rrtype, values)
    return f"{zone}: {name} {rrtype} is {' '.join(values) or 'removed'}"


async def _fault(lab: Lab, zone: str, kind: str, /, *options: str) -> str:
    given = dict(each.partition("=")[::2] for each in options)
    if unknown := set(given) - {"operation", "seconds", "times"}:
        raise UnknownCommandError(f"{', '.join(sorted(unknown))}: only operation=, seconds= and times= can be given")
    times = int(_number(given["times"])) if "times" in given else None
    seconds = _number(given.get("seconds", "0"))
    lab.inject(zone, Fault(_fault_kind(kind), given.get("operation", ANY), seconds=seconds, times=times))
    return f"{zone}: {kind} from now on" if times is None else f"{zone}: {kind}, {times} times"


async def _clear(lab: Lab, zone: str, /) -> str:
    lab.api_faults(zone).clear()
    return f"{zone} has no faults"


async def _lag(lab: Lab, zone: str, seconds: str, /) -> str:
    lab.set_lag(zone, _number(seconds))
    return f"{zone}: its name server follows by {seconds} s"


async def _status(lab: Lab, /) -> str:
    lines = []
    for name, region in lab.regions.items():
        lines.append(name)
        lines += [f"    {service:13} {each!s:17} {each.mode}" for service, each in region.services.items()]
        lines += [f"    {hostname}" for hostname in region.hostnames]
    lines += [f"{name}: {zone.domain} at {zone.address} ({zone.provider})" for name, zone in lab.zones.items()]
    return "\n".join(lines)


_HANDLERS: Mapping[str, Callable[..., Awaitable[str]]] = {
    "break": _break,
    "mend": _mend,
    "service": _service,
    "vanish": _vanish,
    "restore": _restore,
    "edit": _edit,
    "fault": _fault,
    "clear": _clear,
    "lag": _lag,
    "status": _status,
}


def _mode(text: str) -> Mode:
    if text not in list(Mode):
        raise UnknownCommandError(f"a service cannot be {text!r}: choose one of {', '.join(Mode)}")
    return Mode(text)


def _fault_kind(text: str) -> FaultKind:
    if text not in list(FaultKind):
        raise UnknownCommandError(f"there is no fault {text!r}: choose one of {', '.join(FaultKind)}")
    return FaultKind(text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:
        raise UnknownCommandError(f"{text!r} is no number from 0 up")
    return number


class LabControl(APIServer):
    """Takes commands as the body of a POST, on the first address of the lab's block; GET tells the state and help."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(host=lab.block.address(0, 1), port=API_PORT)
        self._lab = lab
        self.app.router.add_post("/", self._command)
        self.app.router.add_get("/", self._show)

    async def _command(self, request: web.Request) -> web.Response:
        try:
            return web.Response(text=f"{await obey(self._lab, await request.text())}\n")
        except (ValueError, RuntimeError) as error:
            return web.Response(status=400, text=f"{error}\n")

    async def _show(self, _: web.Request) -> web.Response:
        return web.Response(text=f"{await obey(self._lab, 'status')}\n\n{HELP}\n")
