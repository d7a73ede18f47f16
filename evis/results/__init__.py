"""Numbers and where they come from: measured rows (store), and the audit of published ones."""
