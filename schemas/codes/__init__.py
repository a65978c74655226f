"""Code lists of the Vietnamese administration, as data and pure functions over it."""
