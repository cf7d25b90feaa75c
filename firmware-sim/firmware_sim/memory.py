"""What a device remembers without power: counters and stored records."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)


class Memory:
    """A small dictionary that survives the simulator, as flash survives a flat battery.

    Without it a restarted simulator would count from the start again, and a hub that remembers the
    device would rightly take every frame for a replay.

    Args:
        path: File to keep it in; ``None`` keeps it for the life of the object only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._cells: dict[str, object] = {}
        if path is not None and path.exists():
            try:
                self._cells = json.loads(path.read_text())
            except ValueError:
                log.warning("%s does not hold JSON: the device starts with empty memory", path.name)

    def number(self, name: str, default: int = 0) -> int:
        """Return a counter."""
        value = self._cells.get(name, default)
        return value if isinstance(value, int) else default

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        value = self._cells.get(name)
        return [str(item) for item in value] if isinstance(value, list) else []

    def keep(self, cells: Mapping[str, object]) -> None:
        """Store these cells, all or none of them."""
        self._cells.update(cells)
        if self._path is None:
            return
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self._cells))
        new.replace(self._path)
