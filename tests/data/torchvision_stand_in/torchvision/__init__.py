"""Stands in for torchvision 0.29: three networks that are found, built and called as torchvision's are."""
