"""The budgets of all accounts: one for each, of which other processes may have their shares."""

from collections.abc import Callable

from detour.enactment.budget import Budget
from detour.enactment.contract import ProviderLimits


class Accounts:
    """Gives the one budget of an account, or one of `shares` equal shares. `clock` gives engine seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._budgets: dict[str, Budget] = {}
        self.shares = 1

    def budget_of(self, account: str, limits: ProviderLimits) -> Budget:
        """Return the budget of an account whose quotas are these, by the zone that was declared last."""
        budget = self._budgets.get(account)
        if budget is None:
            budget = self._budgets[account] = Budget(limits, self._clock)
            budget.divide(self.shares)
        else:
            budget.limit(limits)
        return budget

    def divide(self, shares: int) -> None:
        """Go on with one of so many equal shares of every quota: other processes have the others."""
        self.shares = shares
        for budget in self._budgets.values():
            budget.divide(shares)
