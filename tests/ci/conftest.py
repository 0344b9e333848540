"""The fixtures of the command tests, for runs by real runners."""

from tests.cli.conftest import call, clean_environment, job, repository

__all__ = ["call", "clean_environment", "job", "repository"]
