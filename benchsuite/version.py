"""Version of benchsuite, for those who write it into what they make."""

__version__ = "0.2.0"
