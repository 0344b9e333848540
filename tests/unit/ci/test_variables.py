"""Which variables of a job hold a secret."""

import pytest

from pipeline_gitops import ci
from pipeline_gitops.ci import variables


@pytest.mark.parametrize(
    "name",
    [
        *("GITHUB_TOKEN", "CI_JOB_TOKEN", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "SOPS_AGE_KEY"),
        *("CLIENT_SECRET", "GOOGLE_CREDENTIALS", "deploy_key_b64"),
    ],
)
def test_a_variable_that_is_called_a_secret_is_one(name: str) -> None:
    """The CI's own, and what people call theirs."""
    assert list(ci.secrets({name: "hunter2hunter2"})) == ["hunter2hunter2"]


@pytest.mark.parametrize("name", ["TOKEN_FILE", "AWS_ACCESS_KEY_ID", "PATH", "CACHE_KEY"])
def test_other_variables_are_none(name: str) -> None:
    """A file, an id or a cache's key may be shown."""
    assert list(ci.secrets({name: "hunter2hunter2"})) == []


def test_a_password_in_an_address_is_a_secret() -> None:
    """In any variable: of the repository, a proxy, a database; as it is once decoded."""
    environ = {"HTTPS_PROXY": "http://bot:p%40ssword@proxy.example.com:3128", "URL": "http://[x@"}

    assert list(ci.secrets(environ)) == ["p@ssword"]


def test_a_line_end_behind_a_secret_is_none_of_it() -> None:
    """Files and web forms leave one; what is sent, and has to be masked, is the value alone."""
    secrets = list(ci.secrets({"DEPLOY_TOKEN": "hunter2hunter2\n"}))

    assert "hunter2hunter2" in secrets
    assert variables.token({"DEPLOY_TOKEN": "hunter2hunter2\n"}, ["CI_TOKEN", "DEPLOY_TOKEN"]) == (
        "hunter2hunter2",
        "DEPLOY_TOKEN",
    )
