"""The benchmark's own modules, which import each other by name, as they do when they are run as scripts."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """Import one of them. Only meanwhile is their folder on the path: one of them has the name of the folder."""

    def imported(name: str) -> ModuleType:
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(BENCH)
            return importlib.import_module(name)

    return imported
