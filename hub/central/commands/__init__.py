"""What a person does at the command line of the centre. Each command says its lines and returns an exit code."""

from collections.abc import Callable

Say = Callable[[str], None]
