"""Tests of where comparison groups are sent."""
