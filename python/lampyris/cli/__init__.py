"""The command line: one file per command, loaded only when it is called.

``lampyris --help`` lists the commands without importing torch.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable

__all__ = ["COMMANDS", "main", "switches"]

# name -> (module, one line).
COMMANDS: dict[str, tuple[str, str]] = {
    "fit": ("fit", "train a detector from a YAML config"),
    "validate": ("validate", "figures of a checkpoint on the validation split"),
    "predict": ("predict", "detections of a checkpoint, drawn and listed"),
    "import": ("importing", "bring a checkpoint of the released EMS-YOLO code into a family"),
    "compress": ("compress", "prune, make exact-integer and fine-tune a float checkpoint"),
    "export": ("export", "write the weight image of an exact checkpoint, or explain why not"),
    "verify": ("verify", "prove that training forward, integer reference and device agree"),
    "simulate": ("simulate", "run a weight image on the FireFly model (no torch)"),
    "report": ("report", "bytes, firing rates, energy and cycles of an exact checkpoint"),
    "data": ("data", "generate, check, describe and cache data sets"),
    "doctor": ("doctor", "versions, instruction sets, libraries, and what is missing"),
    "graph": ("graph", "graph tasks: order-aware aggregation, pooling, clustering"),
    "demo": ("demo", "train, compress, export, run, verify and draw, in minutes"),
}
# These parse their own arguments (LightningCLI).
_RAW = {"fit", "validate", "predict"}


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        ["usage: lampyris COMMAND [OPTIONS]   (lampyris COMMAND --help)", "", "commands:", *lines]
    )


def switches(command: Callable | dict[str, Callable], arguments: list[str]) -> list[str]:
    """A switch alone, `--explain`, means `--explain=true` where the command has `explain: bool = False`."""
    import inspect

    commands = command.values() if isinstance(command, dict) else [command]  # a dict: subcommands
    parameters = [p for c in commands for p in inspect.signature(c).parameters.values()]
    names = {f"--{p.name}" for p in parameters if p.default is False}
    following = dict(enumerate(arguments[1:]))
    return [
        f"{word}=true" if word in names and following.get(place) not in ("true", "false") else word
        for place, word in enumerate(arguments)
    ]


def _run(name: str, arguments: list[str]) -> int:
    module = importlib.import_module(f"lampyris.cli.{COMMANDS[name][0]}")
    if name in _RAW:
        return int(module.main(arguments) or 0)
    topic = getattr(module, "TOPICS", {}).get(arguments[0]) if arguments else None
    if topic is not None:  # `lampyris report networks`: a command of its own behind the first word
        module = importlib.import_module(f"lampyris.cli.{topic}")
        name, arguments = f"{name} {arguments[0]}", arguments[1:]
    import jsonargparse

    arguments = switches(module.command, arguments)
    result = jsonargparse.auto_cli(
        module.command, args=arguments, prog=f"lampyris {name}", as_positional=True
    )
    return int(result or 0)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status (0 success, 1 refused, 2 wrong usage, 130 interrupted)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        from lampyris import __version__

        print(f"lampyris {__version__}")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; `lampyris --help` lists the commands"
        print(f"lampyris: error: no command {name!r}{hint}", file=sys.stderr)
        return 2
    try:
        return _run(name, rest)
    except KeyboardInterrupt:
        print(f"lampyris {name}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except (ValueError, OSError, ImportError) as error:
        if os.environ.get("LAMPYRIS_TRACEBACK") == "1":
            raise
        message = str(error).strip() or type(error).__name__
        print(f"lampyris {name}: error: {message}", file=sys.stderr)
        return 1
