"""What the control plane's two binaries are built from."""

from __future__ import annotations

from pathlib import Path

from tests.parts.builds import GoProgram

_VERSION = "k8s.io/component-base/version"
_LINK_FLAGS = (
    # Without these the server calls itself v0.0.0.
    f"-s -w -X {_VERSION}.gitVersion=v1.36.3 -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=36"
)
PROGRAMS = GoProgram(
    title="test control plane",
    module=Path(__file__).resolve().parent / "controlplane",
    packages=("./cmd/...",),
    flags=("-trimpath", "-buildvcs=false", "-ldflags", _LINK_FLAGS),
    duration="some ten minutes on two cores",
)
