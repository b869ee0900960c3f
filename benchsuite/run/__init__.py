"""From a scenario to a run folder: plan the cells, measure them in worker processes, keep every record."""
