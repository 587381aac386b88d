"""The parts of a credentials Secret, as people put them there: with line breaks at the end, or a byte order mark."""

from detour.enactment.contract import CredentialsRefusedError, Secret

BYTE_ORDER_MARK = "\ufeff"


def text_of(secret: Secret, key: str) -> str:
    """Return the value of `key` without what surrounds it, empty where there is none."""
    return secret.get(key, "").strip().strip(BYTE_ORDER_MARK).strip()


def part_of(secret: Secret, key: str, *, needs: str) -> str:
    """Return the value of `key`, which is one word of printable ASCII; `needs` says what a Secret has to hold.

    Raises CredentialsRefusedError where it is missing or something else, without quoting it.
    """
    value = text_of(secret, key)
    if not value:
        raise CredentialsRefusedError(f"the Secret has no key {key!r}: {needs}")
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise CredentialsRefusedError(
            f"the Secret's {key!r} holds characters that belong to no credential, such as a line break in its middle: "
            "copy it anew"
        )
    return value
