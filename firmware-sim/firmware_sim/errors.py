"""Errors that a person using the simulators can mend; their text says how."""


class Unfit(ValueError):  # noqa: N818 -- reads as what it says: "Unfit: 'percent' must be …"
    """A setting or an argument does not fit."""
