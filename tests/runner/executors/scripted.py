"""The command line with workers that answer from a script, for examples that would take long otherwise."""

from __future__ import annotations

from benchsuite.cli import main
from benchsuite.runner.workers import WORKERS, InlineWorkers
from tests.runner.executors.sweeps import FAKE

if __name__ == "__main__":
    WORKERS["process"] = lambda pythonpath: InlineWorkers(pythonpath, FAKE)
    main()
