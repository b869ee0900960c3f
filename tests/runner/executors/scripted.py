"""The command line with workers that answer from a script, for examples that would take long otherwise."""

from __future__ import annotations

from benchsuite.cli import main
from benchsuite.runner.workers import EXECUTORS, InlineExecutor
from tests.runner.executors.sweeps import FAKE

if __name__ == "__main__":
    EXECUTORS["process"] = lambda pythonpath: InlineExecutor(pythonpath, FAKE)
    main()
