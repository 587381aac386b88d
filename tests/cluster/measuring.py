"""What an operator says of itself to Prometheus."""

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from .operatorprocess import PATIENCE

TIMEOUT = aiohttp.ClientTimeout(total=PATIENCE)


async def metric(url: str, name: str, **labels: str) -> float | None:
    """Return the value of the sample `name` with these labels at the operator of `url`, None where it gives none."""
    async with aiohttp.ClientSession(timeout=TIMEOUT) as client, client.get(f"{url}/metrics") as answer:
        text = await answer.text()
    return next(
        (
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ),
        None,
    )
