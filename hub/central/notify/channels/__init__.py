"""The ways out of the centre: one module a provider, all behind one small protocol."""
