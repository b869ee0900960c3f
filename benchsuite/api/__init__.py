"""benchsuite from Python: what a notebook or a script calls. `benchsuite` itself names all of it."""
