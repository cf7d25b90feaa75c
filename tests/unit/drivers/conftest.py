"""Settings of the property tests here."""

from hypothesis import settings

# On a machine that does other things too, a slow example is no failure.
settings.register_profile("drivers", deadline=None)
settings.load_profile("drivers")
