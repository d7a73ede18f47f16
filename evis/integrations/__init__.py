"""Doors to other frameworks. Nothing else in evis needs them; import the one you want by name."""
