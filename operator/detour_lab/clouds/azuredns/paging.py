"""Lists in pages, linked by `nextLink`.

The token in a link names the last item sent, so a list goes on rightly when sets come and go between its pages.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from aiohttp import web

from detour_lab.clouds.azuredns import errors

PAGE_SIZE = 100
"""Items of a page without `$top` (Record Sets - List By DNS Zone)."""

LARGEST_PAGE = 1000

Item = TypeVar("Item")


def page(
    request: web.Request,
    items: Sequence[tuple[str, Item]],
    document: Callable[[Item], Mapping[str, Any]],
    headers: Mapping[str, str],
) -> web.Response:
    """Answer with the page that `request` asks for; `items` are sorted by their key. Raises Refusal (400)."""
    try:
        size = int(request.query.get("$top", PAGE_SIZE))
        after = base64.urlsafe_b64decode(request.query.get("$skipToken", "")).decode()
    except ValueError:
        raise errors.bad_request("The value of '$top' or '$skipToken' is invalid.") from None
    if not 1 <= size <= LARGEST_PAGE:
        raise errors.bad_request(f"The value of '$top' is outside 1..{LARGEST_PAGE}.")
    rest = [item for item in items if item[0] > after]
    answer: dict[str, Any] = {"value": [document(item) for _, item in rest[:size]]}
    if len(rest) > size:
        token = base64.urlsafe_b64encode(rest[size - 1][0].encode()).decode()
        answer["nextLink"] = str(request.url.update_query({"$skipToken": token}))
    return web.json_response(answer, headers=dict(headers))
