"""What follows from the numbers of a run: fronts, ranks, correlations. Pure functions; no files, no torch."""
