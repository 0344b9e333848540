"""Cuts the forges' own descriptions of their API down to the paths that we use.

    python tests/fakes/openapi/cut.py github package/generated/api.github.com.json
    python tests/fakes/openapi/cut.py gitea templates/swagger/v1_json.tmpl

The first file is in npm's @octokit/openapi 23.0.2, the second in the Go module
code.gitea.io/gitea v1.26.0, both under the MIT licence. What goes in `github.json` and
`gitea.json` is what a request must look like: prose, examples and answers are left out. GitLab has
no description under a free licence; `gitlab.yaml` is written by hand from https://docs.gitlab.com/api/.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = "/repos/{owner}/{repo}"
NOTICES = {
    "github": "GitHub's REST API: @octokit/openapi 23.0.2, MIT, (c) 2020 Octokit contributors",
    "gitea": "Gitea's API: code.gitea.io/gitea v1.26.0, MIT, (c) 2016 The Gitea Authors",
}
PATHS = {
    "github": {
        "/user": "get",
        REPOSITORY: "get",
        f"{REPOSITORY}/pulls": "get post",
        f"{REPOSITORY}/pulls/{{pull_number}}": "get",
        f"{REPOSITORY}/pulls/{{pull_number}}/merge": "put",
        f"{REPOSITORY}/commits/{{ref}}": "get",
        f"{REPOSITORY}/commits/{{commit_sha}}/pulls": "get",
        f"{REPOSITORY}/commits/{{ref}}/statuses": "get",
        f"{REPOSITORY}/commits/{{ref}}/check-runs": "get",
        f"{REPOSITORY}/compare/{{basehead}}": "get",
        f"{REPOSITORY}/statuses/{{sha}}": "post",
        f"{REPOSITORY}/issues/{{issue_number}}/comments": "get post",
        f"{REPOSITORY}/issues/comments/{{comment_id}}": "get patch delete",
        f"{REPOSITORY}/deployments": "get post",
        f"{REPOSITORY}/deployments/{{deployment_id}}": "get",
        f"{REPOSITORY}/deployments/{{deployment_id}}/statuses": "get post",
        f"{REPOSITORY}/environments": "get",
        f"{REPOSITORY}/check-runs": "post",
        f"{REPOSITORY}/check-runs/{{check_run_id}}": "get patch",
        f"{REPOSITORY}/check-runs/{{check_run_id}}/annotations": "get",
        f"{REPOSITORY}/actions/runs/{{run_id}}": "get",
        f"{REPOSITORY}/actions/runs/{{run_id}}/jobs": "get",
    },
    "gitea": {
        "/user": "get",
        REPOSITORY: "get",
        f"{REPOSITORY}/pulls": "get post",
        f"{REPOSITORY}/pulls/{{index}}": "get",
        f"{REPOSITORY}/commits/{{sha}}/pull": "get",
        f"{REPOSITORY}/commits/{{ref}}/statuses": "get",
        f"{REPOSITORY}/compare/{{basehead}}": "get",
        f"{REPOSITORY}/statuses/{{sha}}": "post",
        f"{REPOSITORY}/issues/{{index}}/comments": "get post",
        f"{REPOSITORY}/issues/comments/{{id}}": "get patch delete",
    },
}
PROSE = {"description", "summary", "example", "examples", "externalDocs", "tags", "title"}


def main(argv: list[str]) -> None:
    name, source = argv
    # Gitea's is a template; what is filled in is no part of a path.
    whole = json.loads(Path(source).read_text())
    if "swagger" in whole:
        whole = converted(whole)
    document = cut(whole, PATHS[name])
    document["info"] = {"title": NOTICES[name], "version": whole["info"]["version"]}
    text = json.dumps(document, indent=1, sort_keys=True)
    (HERE / f"{name}.json").write_text(text + "\n")


def cut(whole: dict[str, Any], wanted: dict[str, str]) -> dict[str, Any]:
    """The paths, as far as requests go, and the components that they refer to."""
    paths = {}
    for path, methods in wanted.items():
        item = whole["paths"][path]
        shared = item.get("parameters", [])
        operations = {method: _operation(item[method]) for method in methods.split()}
        paths[path] = operations | ({"parameters": _plain(shared)} if shared else {})
    components: dict[str, Any] = {}
    missing = list(_references(paths))
    while missing:
        _, kind, name = missing.pop().removeprefix("#/").split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = _plain(whole["components"][kind][name])
            missing += _references(components[kind][name])
    return {
        "openapi": whole["openapi"],
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": components,
    }


def _operation(whole: dict[str, Any]) -> dict[str, Any]:
    kept = {name: _plain(whole[name]) for name in ("parameters", "requestBody") if name in whole}
    any_answer = {"default": {"description": ""}}
    return kept | {"operationId": whole["operationId"], "responses": any_answer}


def _plain(value: Any) -> Any:
    """Without prose. Below `properties` every key is a field's name."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, one in value.items():
        if key == "properties":
            kept[key] = {name: _plain(field) for name, field in one.items()}
        elif key not in PROSE and not key.startswith("x-"):
            kept[key] = _plain(one)
    return kept


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def converted(swagger: dict[str, Any]) -> dict[str, Any]:
    """A description in Swagger 2.0 as OpenAPI 3.0, as far as requests go."""
    text = re.sub(r'"#/definitions/', '"#/components/schemas/', json.dumps(swagger))
    whole = json.loads(text)
    paths = {}
    for path, item in whole["paths"].items():
        for operation in item.values():
            _convert(operation)
        paths[path] = item
    return {
        "openapi": "3.0.3",
        "info": {"version": "1.26.0"},
        "paths": paths,
        "components": {"schemas": whole["definitions"]},
    }


def _convert(operation: dict[str, Any]) -> None:
    parameters = []
    for one in operation.get("parameters", []):
        if one["in"] == "body":
            content = {"application/json": {"schema": one["schema"]}}
            operation["requestBody"] = {"content": content, "required": True}
        elif one["in"] != "formData":
            one.pop("collectionFormat", None)  # "multi" is what OpenAPI 3 takes for granted
            place = {name: one.pop(name) for name in ("name", "in", "required") if name in one}
            parameters.append({**place, "schema": one})
    operation["parameters"] = parameters


if __name__ == "__main__":
    main(sys.argv[1:])
