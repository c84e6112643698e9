"""Run a study on the cluster whose head this is: the one script that `ray submit` brings there.

    ray submit cluster/local.yaml cluster/submit.py STUDY [--set FIELD=VALUE ...]

STUDY and every path are relative to ~/ptq-vs-qat on the head, and so are the results.
"""

import os
import sys
from pathlib import Path

INSTALLED = Path.home() / "ptq-vs-qat"


def main() -> None:
    """Become `python -m bench run` with the installed Python."""
    python = INSTALLED / ".venv" / "bin" / "python"
    if not python.is_file():
        sys.exit(
            f"error: {python}: not there; allowed: a head on which the cluster file's "
            "setup_commands have run (ray up)"
        )
    os.chdir(INSTALLED)
    os.environ.setdefault("RAY_AUTH_MODE", "token")  # as the cluster file starts Ray
    os.execv(python, [str(python), "-m", "bench", "run", "--address", "auto", *sys.argv[1:]])


if __name__ == "__main__":
    main()
