"""`evis.results.audit.run`, as it was always called."""

from evis.companion.audit import run

__all__ = ["run"]
