"""Comparison of mixers and networks with what their authors' code computes, given the same weights."""
