"""Measures any module: cost on the graph, time on a device, memory in a pass of its own. Knows no mixer."""
