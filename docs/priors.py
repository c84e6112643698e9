"""Write the table of SDs over seeds that `claim` holds claims against, from results/.

    python docs/priors.py

Each row of bench/analysis/priors.csv is a contrast at a setting of a study that is committed here.
"""

from pathlib import Path

from bench.analysis import priors

RESULTS = Path(__file__).parents[1] / "results"


def made() -> str:
    """The table as CSV, of every folder of results/ that a run has written and git tracks."""
    folders = sorted(path.parent for path in RESULTS.glob("*/study.toml"))
    shipped = [folder for folder in folders if f"({folder.name}/report.md)" in _listed()]
    return priors.written(
        [row for folder in shipped for row in priors.of_folder(folder, f"results/{folder.name}")]
    )


def _listed() -> str:
    return (RESULTS / "README.md").read_text("utf-8")


if __name__ == "__main__":
    priors.SHIPPED.write_text(made(), "utf-8")
