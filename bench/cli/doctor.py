"""`doctor`: has the cluster what a study asks?"""

from pathlib import Path

import typer

from bench.cli.options import AddressOption, OutOption, SetOption, StudyArgument, WorkersOption

EXAMPLES = (
    "ptq-vs-qat doctor digits",
    "ptq-vs-qat doctor my-study.toml --address auto --out s3://bucket/study",
)


def doctor(
    study: StudyArgument,
    out: OutOption = None,
    overrides: SetOption = None,
    address: AddressOption = None,
    workers: WorkersOption = None,
) -> None:
    """Has the cluster what a study asks? A minute at most, before the first cell.

    Room for a task, code, CPU type, limits, disk and speed of each node, and a test write where the
    results go. Exit code: 0 all is well, 1 something is not, with what to do about it.
    """
    from bench.cli import interrupts
    from bench.cli.check import print_checks
    from bench.runner import doctor as doctors
    from bench.study import load

    loaded = load(study, overrides or ())
    folder = (out or Path("results") / Path(study).stem).expanduser()
    try:
        with interrupts.raised():
            failed = print_checks(doctors.run(loaded, folder, address or None, workers))
    except KeyboardInterrupt:
        interrupts.end("interrupted; nothing was changed\n")
    if failed:
        raise typer.Exit(1)
