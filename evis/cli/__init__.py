"""The `evis` command."""

from evis.cli.app import main

__all__ = ["main"]
