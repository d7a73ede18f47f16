"""Labels made from weaker ones."""
