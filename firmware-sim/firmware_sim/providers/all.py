"""Every provider that is simulated, in one list."""

from firmware_sim.providers.api import Api
from firmware_sim.providers.elks import Elks
from firmware_sim.providers.link import Link
from firmware_sim.providers.sveve import Sveve
from firmware_sim.providers.twilio import Twilio

PROVIDERS: tuple[type[Api], ...] = (Elks, Sveve, Twilio, Link)
