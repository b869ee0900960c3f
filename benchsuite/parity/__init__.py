"""Whether a mixer or a network computes what its authors' code computes, given the same weights."""

from benchsuite.parity.cases import Case, read_cases
from benchsuite.parity.compare import ParityRow, check_folder
from benchsuite.parity.networks import find_network, load_authors_network
from benchsuite.parity.ports import find_port, load_authors_weights

__all__ = [
    "Case",
    "ParityRow",
    "check_folder",
    "find_network",
    "find_port",
    "load_authors_network",
    "load_authors_weights",
    "read_cases",
]
