"""What can be measured, in words and numbers: mixers, networks, packages that bring their own."""
