"""What the centre takes for as long as one likes: committed, receipted, nothing lost."""

from typing import Any

from hub.bench.load import Job, outcome, until_playing
from hub.bench.site import LOAD_HUBS
from hub.bench.size import Size
from hub.bench.stage import Stage

# As hubs send: 1, a quiet home's readings as they come; 10, a house of many homes; 200, a backlog.
BATCHES = (1, 10, 100, 200)


async def sustained(size: Size) -> dict[str, Any]:
    """Measure observations a second, from the first publication to the last receipt, by batch size."""
    found: dict[str, Any] = {}
    for batch in BATCHES:
        total = size.sustained // LOAD_HUBS // batch * batch * LOAD_HUBS
        async with Stage() as stage:
            idle_mb = stage.centre.rss_mb()
            busy_s = stage.centre.cpu_s()
            load = await stage.start_load(Job(port=stage.broker_port, hubs=LOAD_HUBS, batch=batch, total=total))
            await until_playing(load)
            done = await outcome(load)
            found[f"batch_{batch}"] = {
                "per_s": round(done.receipted / done.seconds),
                "sent": done.sent,
                "lost": done.sent - stage.stored("load-%"),
                "centre_cpu_ms_per_1000": round((stage.centre.cpu_s() - busy_s) / done.sent * 1e6, 1),
                "centre_rss_mb": {"idle": idle_mb, "after": stage.centre.rss_mb()},
            }
    return found
