"""What a run leaves behind: cells, records, their metrics, and the files they live in. No torch."""
