"""A pattern is what `re.compile` makes, once somebody asks."""

import subprocess
import sys

from pipeline_gitops.patterns import pattern

ALL = """
import importlib, pkgutil, re
import pipeline_gitops
from pipeline_gitops import patterns

compiled = []
patterns.pattern = lambda *arguments: compiled.append(re.compile(*arguments)) or compiled[-1]
for module in pkgutil.walk_packages(pipeline_gitops.__path__, "pipeline_gitops."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(len(compiled))
"""


def test_it_finds_what_the_compiled_one_finds() -> None:
    word = pattern(r"(?P<first>\w)\w*")

    assert word.match("web").group("first") == "w"  # type: ignore[union-attr]
    assert word.sub("-", "a b") == "- -"
    assert word.groupindex == {"first": 1}


def test_bytes_and_flags_are_kept() -> None:
    assert pattern(rb"A.B").search(b"a\nb") is None
    assert pattern(r"a.b", 2 | 16).search("A\nB")


def test_every_pattern_of_the_package_can_be_compiled() -> None:
    done = subprocess.run([sys.executable, "-c", ALL], capture_output=True, text=True, check=True)

    assert int(done.stdout) > 100
