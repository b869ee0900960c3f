"""A static site of many runs: any web server shows it, and nothing in it is loaded from elsewhere."""
