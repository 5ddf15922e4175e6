"""How the tests are dealt to the processes that run them (`pytest -n 2 --dist loadgroup`).

A file is run by one process, so that what it builds once serves all its tests; files whose tests each build
warehouses of their own are dealt test by test. What takes minutes begins first: else the last process
works on it alone while the others have nothing left.
"""

from pathlib import Path

import pytest

_DEALT_BY_TEST = frozenset({"test_equivalence", "test_equivalence_cases"})
# Minutes each; their order is that of their length.
_LONGEST = ("test_equivalence", "test_weekly_grocer", "test_faults", "test_changed_seed")


def _turn(item: pytest.Item) -> int:
    name = Path(item.path).stem
    if name in _LONGEST:
        return _LONGEST.index(name)
    # single cases last: they even out what is left
    return len(_LONGEST) + int(name in _DEALT_BY_TEST)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in order, and those of a file into one group."""
    items.sort(key=_turn)
    for item in items:
        file = Path(item.path).stem
        if file not in _DEALT_BY_TEST:
            item.add_marker(pytest.mark.xdist_group(file))
