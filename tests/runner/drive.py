"""A run with the pipeline that trains nothing, in a process of its own.

    python -m tests.runner.drive OUT FIELDS [ADDRESS]

FIELDS: of the study, JSON. Prints what a watcher is told, a line each.
"""

import json
import sys
from pathlib import Path

from bench import runner
from bench.errors import InputError, Unfinished
from bench.study import validate
from tests.runner.watching import Recorder


class Printer(Recorder):
    def finished(self, rows):
        super().finished(rows)
        print(f"{len(self.rows)} rows", flush=True)

    def waits(self, what):
        if what is not None:
            print(f"waits: {what}", flush=True)

    def said(self, text):
        print(f"said: {text}", flush=True)


def main() -> None:
    out, fields, *address = sys.argv[1:]
    study = validate({"title": "driven", "primary": [], **json.loads(fields)}, "test")
    try:
        runner.run(study, Path(out), Printer(), *address, pipeline="tests.runner.pipeline")
    except (InputError, Unfinished) as error:
        print(f"error: {error}", flush=True)
        sys.exit(1 + isinstance(error, InputError))


if __name__ == "__main__":
    main()
