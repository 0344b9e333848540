"""How to ask a Kubernetes API server with the standard library alone."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TIMEOUT_S = 30.0


class ApiError(Exception):
    """The API server refused; *status* is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}: {message}")
        self.status = status


class Api:
    """One user's view of an API server.

    Paths are the server's own, such as "/api/v1/namespaces". Answers are decoded JSON.
    """

    def __init__(self, url: str, *, ca_file: Path, token: str) -> None:
        self._url = url
        self._token = token
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),  # never through the machine's proxy
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(ca_file))),
        )

    def get(self, path: str) -> Any:
        return json.loads(self.send("GET", path))

    def post(self, path: str, body: Any) -> Any:
        return json.loads(self.send("POST", path, body))

    def delete(self, path: str) -> Any:
        return json.loads(self.send("DELETE", path))

    def text(self, path: str) -> str:
        """The answer as it came, for paths that do not speak JSON."""
        return self.send("GET", path).decode()

    def send(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> bytes:
        """The raw answer; raises ApiError on a refusal, OSError when there is no answer."""
        request = urllib.request.Request(
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": content_type},
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(error.code, error.read().decode(errors="replace")) from None
