"""Recordings of what came over the links of a live edge, made and played back."""
