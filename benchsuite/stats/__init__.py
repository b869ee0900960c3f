"""Medians, intervals and the one rule of evidence. Numbers in, numbers out: nothing here knows a record."""
