"""The safety gate between plan and write: what must never reach a provider, whatever the planner said.

It looks at the outcome for one name and knows nothing of health, so that a mistake in the planner cannot pass it.
"""

from collections.abc import Collection

from detour.model.rrset import ANSWER_TYPES, RRKey


def never_empty(before: Collection[RRKey], after: Collection[RRKey], *, deletion_observed: bool) -> str | None:
    """Return why a change of one name must not be written, or None where it may.

    `before` and `after` are the sets at the name. A name may lose an address family only while another set still
    answers; all of it goes only after the deletion of its FailoverRecord was observed.
    """
    answers_before = {key for key in before if key.type in ANSWER_TYPES}
    answers_after = {key for key in after if key.type in ANSWER_TYPES}
    if answers_after or deletion_observed:
        return None
    if not answers_before:
        return "the change would create a name without an answer"
    name = next(iter(answers_before)).name
    return f"the change would leave {name} without an answer"
