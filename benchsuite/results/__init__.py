"""Results of a run: cells, records, their metrics, and the files they live in. No torch."""
