"""How the tests are dealt to the processes that run them (`pytest -n 2`).

A file is run by one process, so that what it builds once serves all its tests; files whose tests each build
warehouses of their own are dealt test by test. What takes minutes begins first: else the last process
works on it alone while the others have nothing left.
"""

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from orchestration.settings import collect_garbage_rarely

# hundreds of nights in one process
collect_garbage_rarely()

_DEALT_BY_TEST = frozenset({"test_equivalence", "test_equivalence_cases"})
# Minutes each; their order is that of their length.
_LONGEST = ("test_equivalence", "test_weekly_grocer", "test_faults", "test_changed_seed")


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Deals files, and single tests of some of them."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        return nodeid if Path(file).stem in _DEALT_BY_TEST else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Return what deals the tests."""
    return _ByFile(config, log)


def _turn(item: pytest.Item) -> int:
    name = Path(item.path).stem
    if name in _LONGEST:
        return _LONGEST.index(name)
    # single cases last: they even out what is left
    return len(_LONGEST) + int(name in _DEALT_BY_TEST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in order: the scheduler keeps it with --no-loadscope-reorder."""
    items.sort(key=_turn)
