"""Which incidents are about the chain itself."""

from hub.domain.codes import Kind

# Their texts try the second provider of a channel first: the first may be what is broken.
BY_ANOTHER = frozenset({Kind.INCIDENT_UNATTENDED, Kind.CENTRE_STUCK, Kind.ROUND_FAILED})
