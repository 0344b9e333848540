"""The fixtures of the tests that need a real cluster."""

from tests.cluster.fixtures import control_plane, kubeconfig, namespace

__all__ = ["control_plane", "kubeconfig", "namespace"]
