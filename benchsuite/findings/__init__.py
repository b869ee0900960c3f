"""Findings from the records of runs: claims, flags, history, rooflines. Pure; no files, no torch."""
