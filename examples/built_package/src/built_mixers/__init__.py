"""A token mixer whose loop is compiled."""
