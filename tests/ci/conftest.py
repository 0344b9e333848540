"""The fixtures of the command tests, for runs by real runners."""

from tests.cli.conftest import clean_environment, repository

__all__ = ["clean_environment", "repository"]
