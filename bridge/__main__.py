"""The one entry point: `python -m bridge`, and the `bridge` command."""

from bridge.cli import app


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
