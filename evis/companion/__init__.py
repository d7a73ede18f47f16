"""What all papers share around the library: stored rows, published tables, statistics, plots."""
