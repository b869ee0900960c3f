"""Is the new code slower, or larger? From a request to a verdict on every cell."""
