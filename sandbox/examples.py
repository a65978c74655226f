"""Prints the examples of the OpenAPI document: `python -m sandbox.examples > schemas/examples.json`.

They are true sentences of the world that `lgsp demo` makes without options, so what the documentation shows can be
asked there as it stands.
"""

from __future__ import annotations

import json
import sys

from adapters import DATABASES
from sandbox.run import REGISTRIES
from sandbox.truth import samples
from sandbox.world.world import World

SEED = 1
PEOPLE = 200


def examples() -> str:
    """Return one question and its answer for each operation, as JSON text; the same at every call."""
    operations = [f"{database.name}/{operation.name}" for database in DATABASES for operation in database.operations]
    found = samples(World(SEED, PEOPLE), REGISTRIES, operations)
    return json.dumps({name: found[name] for name in operations}, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(examples())
