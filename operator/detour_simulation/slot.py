"""A replica's place: the process that runs there now, and those before it."""

from typing import TYPE_CHECKING

from detour.enactment.sites import Site
from detour_simulation.apiserver import ApiServer
from detour_simulation.controller import Controller
from detour_simulation.history import Broke, ProcessChanged
from detour_simulation.schedule import ControllerSetting

if TYPE_CHECKING:
    from detour_simulation.run import Run


class Slot:
    """Starts a process again whenever one ended; `past` are all that ran here."""

    def __init__(self, run: "Run", setting: ControllerSetting, site: Site, server: ApiServer) -> None:
        self.name = setting.name
        self.server = server
        self.controller: Controller | None = None
        self.restart_after = 1.0
        self._run = run
        self._setting = setting
        self._site = site
        self._incarnation = 0
        self._resumed_at = self._paused_until = 0.0
        self.past: list[Controller] = []

    @property
    def is_running(self) -> bool:
        """Tell whether a process runs here, and has done so for a moment."""
        up = self.controller is not None and self.controller.is_alive and not self.controller.process.frozen
        return up and self._run.loop.now - self._resumed_at > 1.0

    def start(self) -> None:
        """Start a process, unless one runs."""
        if self.controller is not None and self.controller.is_alive:
            return
        self._incarnation += 1
        run = self._run
        self.controller = Controller(
            f"{self.name}#{self._incarnation}",
            surroundings=run.surroundings,
            server=self.server,
            site=self._site,
            seed=run.schedule.seed,
            rate=self._setting.rate,
            wall_offset=self._setting.wall_offset,
            has_rivals=True,
            shares_zones=run.schedule.setting.sharding,
            has_vantages=bool(run.schedule.setting.vantages),
        )
        self.controller.caller.crash = self.crash
        self.controller.on_defect = self._break
        self.past.append(self.controller)
        self.note("started")
        self.controller.start()

    def crash(self) -> None:
        """End the process at once, and start another one after `restart_after` seconds."""
        if self.controller is not None and self.controller.is_alive:
            self.controller.crash()
            self.note("ended")
            self._run.loop.later(self.restart_after, self.start)

    def _break(self, error: BaseException | None) -> None:
        """The process met a defect of ours, or one of its calls was cancelled: it is started again."""
        if error is not None:
            self._run.history.add(Broke(at=self._run.loop.now, controller=self.name, text=repr(error)))
        self.crash()

    def pause(self, seconds: float) -> None:
        """Let the process stand still for so many seconds, or for longer where it does already."""
        if self.controller is None or not self.controller.is_alive:
            return
        if self.is_running:
            self._run.loop.freeze(self.controller.process)
            self.note("paused")
        elif not self.controller.process.frozen:
            return
        self._paused_until = max(self._paused_until, self._run.loop.now + seconds)
        self._run.loop.later(seconds, self._go_on)

    def _go_on(self) -> None:
        if self._run.loop.now >= self._paused_until:
            self.resume()

    def resume(self) -> None:
        """Let the process go on."""
        if self.controller is not None and self.controller.is_alive and self.controller.process.frozen:
            self._run.loop.thaw(self.controller.process)
            self._resumed_at = self._run.loop.now
            self.note("resumed")

    def stop(self) -> None:
        """Stop the process in order; another one is started once it is down."""
        controller = self.controller
        if controller is None or not self.is_running:
            return

        async def end() -> None:
            try:
                await controller.stop()
            finally:
                self.note("ended")
                self._run.loop.later(self.restart_after, self.start)

        self.note("stopped")
        controller.process.context.run(self._run.loop.create_task, end())

    def note(self, state: str) -> None:
        """Write into the history what became of the process."""
        self._run.history.add(ProcessChanged(at=self._run.loop.now, controller=self.name, state=state))
