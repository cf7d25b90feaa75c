"""Every sentence that a person reads, in every language that is spoken here."""

from hub.central.texts.alert import Because, alert_text, fyi_text
from hub.central.texts.language import render

__all__ = ["Because", "alert_text", "fyi_text", "render"]
