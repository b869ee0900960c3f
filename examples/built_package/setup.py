"""The extension; all else is in pyproject.toml."""

from setuptools import Extension, setup

setup(
    ext_modules=[Extension("built_mixers._running_mean", ["src/built_mixers/_running_mean.cpp"])],
)
