"""Catalogue of what can be measured, in words and numbers: mixers, blocks, networks, those of packages."""
