"""Generated data sets in a cache: complete or absent, never half-made."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

__all__ = ["MARKER", "cache_folder", "generate_once", "read_marker"]

MARKER = "lampyris.json"


def cache_folder() -> Path:
    """Folder of generated data sets: ``$XDG_CACHE_HOME/lampyris``, by default ``~/.cache/lampyris``.

    Example:
        >>> cache_folder().name
        'lampyris'
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lampyris"


def read_marker(root: str | os.PathLike) -> dict | None:
    """The marker that a finished generation leaves in its folder, or None."""
    try:
        marker = json.loads((Path(root) / MARKER).read_bytes())
    except (OSError, ValueError):
        return None
    return marker if isinstance(marker, dict) and "recipe" in marker else None


def generate_once(
    name: str, recipe: dict, build: Callable[[Path], None], root: str | os.PathLike | None = None
) -> Path:
    """Return the folder of a generated data set, building it when it does not exist yet.

    The set is built in a hidden folder beside its place and renamed when complete. Two processes may
    build at once: the first rename wins, the other result is dropped.

    Args:
        name: name of the set, e.g. "digits".
        recipe: everything the content depends on, as plain JSON values; recorded in the marker.
        build: function that writes the whole set into the (existing, empty) folder it is given.
        root: target folder; None: ``<cache_folder()>/<name>-<hash of recipe>``.

    Returns:
        The folder.

    Raises:
        ValueError: ``root`` is a folder with other content, or a set of another recipe.
        OSError: the folder cannot be written.
    """
    recipe = json.loads(json.dumps(recipe))
    if root is None:
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:8]
        root = cache_folder() / f"{name}-{digest}"
    root = Path(os.path.abspath(root))
    if _is_complete(name, recipe, root):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(root)
    work = root.with_name(f".{root.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        work.mkdir()
        build(work)
        (work / MARKER).write_text(json.dumps({"name": name, "recipe": recipe}, indent=1) + "\n")
        if root.is_dir():
            root.rmdir()  # refuses a folder with content
        os.rename(work, root)
    except OSError:
        if not _is_complete(name, recipe, root):
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return root


def _is_complete(name: str, recipe: dict, root: Path) -> bool:
    marker = read_marker(root)
    if marker is not None and (marker.get("name"), marker["recipe"]) == (name, recipe):
        return True
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        if marker is None:
            reason = "other content"
        elif marker.get("name") != name:
            reason = f"the set {marker.get('name')!r}"
        else:
            old = marker["recipe"]
            keys = [k for k in sorted({*recipe, *old}) if recipe.get(k) != old.get(k)]
            reason = "the set with " + ", ".join(
                f"{k} = {old.get(k)!r} instead of {recipe.get(k)!r}" for k in keys
            )
        raise ValueError(
            f"{name}: root must be a new or empty folder or hold this set, got {root} with {reason}"
        )
    return False


def _remove_abandoned(root: Path) -> None:
    """Remove work folders of killed processes of this machine."""
    host = socket.gethostname()
    for folder in root.parent.glob(f".{root.name}.{host}.*.tmp"):
        pid = folder.name.removesuffix(".tmp").rsplit(".", 1)[1]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()
