"""Incidents: what needs a human, from the first press to the outcome."""
