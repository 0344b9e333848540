"""`python -m pipeline_gitops`, and the console script."""

import sys


def main() -> None:
    """Runs one command and exits with its code."""
    # Answered before anything is imported: it is what installation checks call.
    if sys.argv[1:] == ["--version"]:
        from pipeline_gitops import __version__

        sys.stdout.write(f"pipeline-gitops {__version__}\n")
        return
    from pipeline_gitops.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
