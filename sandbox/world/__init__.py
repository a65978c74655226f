"""The generated population behind the sandbox registries: the same people in all six databases.

`World` (in `sandbox.world.world`) depends on seed and number of people only, never on the clock, hash randomisation or
the order of questions. Records are in `model` (people, civil status) and `holdings` (insurance, business, tax, land).
"""
