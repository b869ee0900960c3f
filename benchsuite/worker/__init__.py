"""What a worker process does with a cell: build it, make it ready, time it, look at it. Imports torch."""
