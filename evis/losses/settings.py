"""Moved to evis.papers.eigencluster.settings; this name goes when its last caller has moved."""

from evis.papers.eigencluster.settings import Settings

__all__ = ["Settings"]
