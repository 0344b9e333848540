"""`python -m pipeline_gitops`, and the console script."""

import gc
import sys


def main() -> None:
    """Runs one command and exits with its code."""
    # Answered before anything is imported: it is what installation checks call.
    if sys.argv[1:] == ["--version"]:
        from pipeline_gitops import __version__

        sys.stdout.write(f"pipeline-gitops {__version__}\n")
        return
    from pipeline_gitops.cli import endings, run

    # A short life and many long-lived objects: at the usual thresholds every hundredth part of what
    # is read would be looked through again and again, a tenth of all work with a thousand objects.
    gc.set_threshold(50_000, 20, 20)
    endings.hush()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
