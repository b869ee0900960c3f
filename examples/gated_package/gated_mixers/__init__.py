"""Token mixers of one's own, of which benchsuite watches what they cost."""
