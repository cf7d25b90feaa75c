"""Whether this very centre can be relied on: that a round was complete may be the doing of another one."""

import datetime as dt

from hub.central.centre import Centre
from hub.central.notify.breaker import Condition
from hub.central.notify.ways import Ways
from hub.central.presence import Presence


def unfit(centre: Centre, heard: Presence, ways: Ways, probe_hub: str) -> str | None:
    """Return why a centre may hear, or tell, nobody; ``None`` when it does both, as far as it knows.

    Args:
        centre: It.
        heard: Whom it has heard itself. Heartbeats are not shared: each centre hears those of all hubs.
        ways: Its providers; what they answered to others counts for nothing.
        probe_hub: The hub of the rounds, which is in service or they would not be complete.
    """
    now = centre.clock.now().utc
    if heard.listening_since is None:
        return "it does not hear its broker"
    silent = dt.timedelta(seconds=centre.site.site.supervision.hub_silent_s)
    since = heard.heard_at("hub", probe_hub, heard.listening_since) or heard.listening_since
    if now - since > silent:
        return f"it has not heard hub {probe_hub} itself for {(now - since).total_seconds():.0f} s"
    if all(way.condition is Condition.OPEN for way in ways.of("sms", now)):
        return "none of its providers of texts answers"
    return None
