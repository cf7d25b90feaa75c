"""The vocabulary that every other part speaks: pure values, no I/O."""
