"""The command's entry: interrupts are handled before anything that takes time is imported."""

from bench.cli import interrupts


def main() -> None:
    interrupts.end_at_once()
    from bench.cli import app

    app.main()


if __name__ == "__main__":
    main()
