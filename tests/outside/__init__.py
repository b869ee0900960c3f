"""What comes in from outside: files that were edited, damaged, or made to harm."""
