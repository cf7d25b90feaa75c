"""Figures for Prometheus: how the chain does. Zones are named, residents, phones and numbers never."""
