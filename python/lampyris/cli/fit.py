"""`lampyris fit`."""

from __future__ import annotations

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Run `lampyris fit` with LightningCLI's arguments; returns the exit status."""
    from lampyris.cli.training import run

    return run("fit", arguments)
