"""One folder a paper: its method, recipes, experiments, claims and figures."""
