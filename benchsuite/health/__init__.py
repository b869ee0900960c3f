"""Are this machine and this tool fit to measure? doctor and selftest."""
