"""Rules: which observation is an incident, of which class, severity and family, and why."""

from rules.engine import Decision, Facts, Rule, RuleSet
from rules.loader import load, standard

__all__ = ["Decision", "Facts", "Rule", "RuleSet", "load", "standard"]
