"""How a real Gitea is started for the tests, and ended with them.

It listens on the loopback interface alone, keeps everything in a folder of its own, fetches nothing
and sends no mail. Its web pages lack their scripts: only the API and Git are used.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.gitea.build import PROGRAM
from tests.parts.errors import PartError, tail
from tests.parts.processes import PortLostError, Process, free_ports

START_S = 60.0  # a busy machine needs some five seconds
START_TRIES = 3
POLL_S = 0.05
ALL = "all"

_SETTINGS = """\
RUN_USER = {user}
RUN_MODE = prod
WORK_PATH = {folder}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = {as_root}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = {url}/
STATIC_ROOT_PATH = {programs}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
SQLITE_JOURNAL_MODE = WAL
[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
[service]
DISABLE_REGISTRATION = true
[session]
PROVIDER = memory
[queue]
TYPE = channel
[cron]
ENABLED = false
[actions]
ENABLED = false
[log]
MODE = console
LEVEL = warn
"""


class Refusal(Exception):
    """Gitea refused something that a test wanted to arrange."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text[:300]}")
        self.status = status


@dataclass(frozen=True)
class Api:
    """Gitea as the owner of one token sees it. Paths begin after "/api/v1"."""

    url: str
    token: str

    def get(self, path: str) -> Any:
        return self.send("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.send("POST", path, body)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer. Raises Refusal."""
        headers = {"Authorization": f"token {self.token}"}
        return _answer(method, f"{self.url}/api/v1{path}", body, headers=headers)


@dataclass(frozen=True)
class Account:
    """Somebody on the server; *api* may do all that they may."""

    login: str
    password: str
    api: Api

    def token(self, *scopes: str) -> str:
        """A new access token with exactly these scopes."""
        return _token(self.api.url, self.login, self.password, scopes)


class GiteaServer:
    """A Gitea from `start()` to `stop()`. Start it in the main thread: it ends with the thread."""

    url: str
    folder: Path
    admin: Account

    def start(self) -> None:
        """Returns once the API answers. Builds Gitea when this was not done yet."""
        programs = PROGRAM.folder()
        for last in range(START_TRIES - 1, -1, -1):
            self.folder = Path(tempfile.mkdtemp(prefix="gitea-"))
            try:
                self._start(programs)
                return
            except PortLostError:
                self.stop()
                if not last:
                    raise
            except BaseException:
                self._process.kill()  # its folder, with the log, is kept
                raise

    def stop(self) -> None:
        """Ends it and removes its folder."""
        self._process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def check(self) -> None:
        """Raises PartError when it has ended."""
        self._process.check()

    def account(self, name: str = "someone") -> Account:
        """Somebody new whose login begins like that."""
        login, password = f"{name}-{secrets.token_hex(4)}", secrets.token_hex(16)
        self.admin.api.post(
            "/admin/users",
            {
                "username": login,
                "email": f"{login}@example.com",
                "password": password,
                "must_change_password": False,
            },
        )
        return Account(login, password, Api(self.url, _token(self.url, login, password, [ALL])))

    def _start(self, programs: Path) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        settings = self.folder / "app.ini"
        settings.write_text(
            _SETTINGS.format(
                user=getpass.getuser(),
                folder=self.folder,
                as_root=os.geteuid() == 0,
                port=port,
                url=self.url,
                programs=programs,
                secret=secrets.token_hex(32),
            )
        )
        # A bare environment: no proxy, no Git settings of the user's.
        path = os.pathsep.join([str(Path(shutil.which("git") or "git").parent), os.defpath])
        env = {
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "PATH": path,
            "USER": getpass.getuser(),
        }
        gitea = programs / "gitea"
        self._process = Process(
            "gitea",
            [gitea, "web", "--config", settings],
            folder=self.folder,
            env=env,
            whole=PROGRAM.title,
        )
        self._await()
        password = secrets.token_hex(16)
        # Only the program itself makes the first account.
        made = subprocess.run(
            [
                *(gitea, "admin", "user", "create", "--config", settings),
                *("--admin", "--username", "overseer", "--password", password),
                *("--email", "overseer@example.com", "--must-change-password=false"),
            ],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise PartError(f"cannot make an administrator: {made.stderr[-500:]}")
        token = _token(self.url, "overseer", password, [ALL])
        self.admin = Account("overseer", password, Api(self.url, token))

    def _await(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            self.check()
            try:
                requests.get(f"{self.url}/api/v1/version", timeout=5).raise_for_status()
                return
            except requests.RequestException:
                if time.monotonic() > deadline:
                    log = tail(self._process.log)
                    raise PartError(f"waited {START_S:.0f} s in vain for Gitea\n{log}") from None
            time.sleep(POLL_S)


def _token(url: str, login: str, password: str, scopes: tuple[str, ...] | list[str]) -> str:
    # Tokens are made with the password alone.
    body = {"name": secrets.token_hex(4), "scopes": list(scopes)}
    answer = _answer("POST", f"{url}/api/v1/users/{login}/tokens", body, auth=(login, password))
    return str(answer["sha1"])


def _answer(method: str, url: str, body: Any, **how: Any) -> Any:
    answer = requests.request(method, url, json=body, timeout=60, allow_redirects=False, **how)
    if not answer.ok or answer.is_redirect:
        raise Refusal(answer.status_code, answer.text)
    return answer.json() if answer.content else None
