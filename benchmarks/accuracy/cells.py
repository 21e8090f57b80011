"""Results that outlive a killed run: a line of JSON for each finished training."""

import json
import os
from pathlib import Path


class Cells:
    """Finished trainings by what they were: a dict of what decides the result.

    Args:
        path: A file of lines; made with the first result.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._found = {}
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                try:
                    cell = json.loads(line)
                except json.JSONDecodeError:
                    continue  # cut off when a run was killed: that training is not finished
                self._found[_key(cell["cell"])] = cell

    def get(self, cell):
        """The result of this training, or None."""
        return self._found.get(_key(cell))

    def add(self, cell, **result):
        """Keeps a result. It is on the disk when this returns."""
        line = json.dumps({"cell": cell, **result})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                torn = file.read(1) != b"\n"
            else:
                torn = False
            file.write((b"\n" if torn else b"") + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._found[_key(cell)] = json.loads(line)


def _key(cell):
    return json.dumps(cell, sort_keys=True)
