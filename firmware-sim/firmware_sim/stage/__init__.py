"""The whole chain as processes: broker, centre, edge, a home's devices, the phone network; for demo and tests."""

from firmware_sim.stage.child import Child, ChildError
from firmware_sim.stage.stage import Stage

__all__ = ["Child", "ChildError", "Stage"]
