"""Scenarios: YAML in, a typed model, every mistake named with its place, cells out. No torch.

`load.load` reads a file, `expand.expand` makes its cells; `docs/design/0002-scenario-language.md` says why
the language is as it is.
"""
