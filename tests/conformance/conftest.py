"""Makes every test of this folder once for each backend that can run it.

Without options: the emulated services and the real BIND and Knot. With `--provider NAME --zone DOMAIN`: the user's own
account (see real_account.py).
"""

import datetime
from collections.abc import AsyncIterator

import pytest

from detour.enactment.contract import Provider

from .backends import LAB, Backend
from .real_account import account_backend, how_to_report
from .zonework import Work

PROVIDERS = ("route53", "azuredns", "clouddns", "rfc2136")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance in a real account")
    group.addoption("--provider", choices=PROVIDERS, help="run in an account of this provider")
    group.addoption("--zone", metavar="DOMAIN", help="an existing zone to work in, below one random label")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*abilities): made only for backends that have these class attributes")
    if bool(account_of(config)[0]) != bool(account_of(config)[1]):
        raise pytest.UsageError("--provider and --zone belong together: name both")


def account_of(config: pytest.Config) -> tuple[str | None, str | None]:
    """Return provider and zone of the user's account; None where the lab is meant."""
    return config.getoption("--provider", default=None), config.getoption("--zone", default=None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" not in metafunc.fixturenames:
        return
    provider, zone = account_of(metafunc.config)
    backends = (account_backend(provider, zone),) if provider and zone else LAB
    abilities = [ability for mark in metafunc.definition.iter_markers("needs") for ability in mark.args]
    able = [each for each in backends if all(_has(each, ability) for ability in abilities)]
    metafunc.parametrize("backend", able, ids=[each.name for each in able], indirect=True)


def _has(backend: type[Backend], ability: str) -> bool:
    return not getattr(backend, ability[4:]) if ability.startswith("not ") else bool(getattr(backend, ability))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that no backend can run, which happens in a real account."""
    if not all(account_of(config)):
        return
    impossible = [item for item in items if any(mark.name == "skip" for mark in item.iter_markers())]
    config.hook.pytest_deselected(items=impossible)
    items[:] = [item for item in items if item not in impossible]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    provider, _ = account_of(config)
    if provider and exitstatus == 0:
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        passed = len(terminalreporter.stats.get("passed", ()))
        terminalreporter.section("verified")
        terminalreporter.write_line(how_to_report(provider, passed=passed, on=today))


@pytest.fixture
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[Backend]:
    async with request.param() as running:
        yield running


@pytest.fixture
async def provider(backend: Backend) -> AsyncIterator[Provider]:
    opened = await backend.open()
    yield opened
    await opened.close()


@pytest.fixture
async def work(backend: Backend, provider: Provider) -> Work:
    """A writer that holds a fresh ledger."""
    writer = Work(backend, provider)
    await writer.claim()
    return writer
