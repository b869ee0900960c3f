"""One HTML page from one or more runs, and its figures as files. Reads records only; no torch."""
