"""From a scenario to a run folder: plan the cells, send them to worker processes, keep every record."""
