"""What a worker process does with a cell: build it, set it up, time it, look at it. Imports torch."""
