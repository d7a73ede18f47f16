"""The papers' losses, one idea a module."""
