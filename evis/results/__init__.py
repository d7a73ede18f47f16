"""Kept for callers of the name: the audit lives in `evis.companion`."""
