"""Small generated sets, shared by the tests of this folder; the cache points to a temporary folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lampyris import data


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session")
def digits_folder(tmp_path_factory) -> Path:
    return data.digits(tmp_path_factory.mktemp("sets") / "digits", train=40, val=10, test=12)


@pytest.fixture(scope="session")
def events_folder(tmp_path_factory) -> Path:
    return data.order_events(tmp_path_factory.mktemp("sets") / "events", train=60, val=8, test=8)
