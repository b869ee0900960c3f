"""`python -m benchsuite` is the command line."""

from benchsuite.search_path import leave_current_folder

leave_current_folder()

from benchsuite.cli import main  # noqa: E402  not from the current folder, nor what it imports

main()
