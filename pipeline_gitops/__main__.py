"""`python -m pipeline_gitops`, and the console script."""

import atexit
import gc
import sys


def main() -> None:
    """Runs one command and exits with its code."""
    # Answered before anything is imported: it is what installation checks call.
    if sys.argv[1:] == ["--version"]:
        from pipeline_gitops import __version__

        sys.stdout.write(f"pipeline-gitops {__version__}\n")
        return
    # A short life and many long-lived objects: at the usual thresholds every hundredth part of what
    # is read would be looked through again and again, a tenth of all work with a thousand objects.
    gc.set_threshold(300_000, 20, 20)
    from pipeline_gitops.cli import endings, run

    endings.hush()
    codes: list[int] = []
    atexit.register(endings.leave, codes)  # the first that is registered is the last to be called
    codes.append(run(sys.argv[1:]))
    sys.exit(codes[0])


if __name__ == "__main__":
    main()
