"""dbt without what a test of data has no use for, so that a night on few rows costs less.

Much of such a night is dbt's own doing: events for loggers that nobody reads, templates that are compiled
again in every run, comments on columns, a look at every contract, every macro that dbt knows offered anew to
every model. Leaving them out changes no row; real nights have them. What does NOT belong here: anything that
changes the SQL that makes a row.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from orchestration import dbt

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

# The one event that `orchestration.dbt.build` listens to.
_HEARD = "NodeFinished"
_COMPILED: dict[tuple[type, str], Any] = {}
_TYPE_TESTERS: dict[tuple[tuple[str, ...], Any], Any] = {}
# Python that calls macros by their names.
_CALLERS = ("dbt.adapters.base", "dbt.adapters.sql", "dbt.adapters.duckdb", "dbt.task", "dbt.context")
# What dbt puts before the name of a macro that it looks for.
_PREFIXES = ("", "default__", "duckdb__")
_MATERIALIZATIONS = ("materialization_{}_default", "materialization_{}_duckdb")


def light_manifest(*, has_tests: bool = False) -> Manifest:
    """Return a fresh manifest for one night without comments on tables, contracts and what is not used.

    Args:
        has_tests: Whether dbt's tests of data stay in it.
    """
    return _light_project(has_tests).load()


@lru_cache
def _light_project(has_tests: bool) -> dbt.Project:
    project = dbt.project()
    manifest = project.load()
    used = _used_macros()
    manifest.macros = {key: macro for key, macro in manifest.macros.items() if macro.name in used}
    for key, node in list(manifest.nodes.items()):
        if node.resource_type == "test" and not has_tests:
            del manifest.nodes[key]
        elif node.resource_type in ("model", "seed"):
            node.config.persist_docs = {}
            if node.resource_type == "model":
                node.config.contract.enforced = node.contract.enforced = False
    return dbt.Project(project.manifest, manifest.to_msgpack())


@lru_cache(maxsize=1)
def _used_macros() -> frozenset[str]:
    """Return the names of the macros that are named somewhere from where a night can come to them."""
    manifest = dbt.project().load()
    macros: dict[str, list[str]] = {}
    for macro in manifest.macros.values():
        macros.setdefault(macro.name, []).append(macro.macro_sql)
    roots = [node.raw_code for node in manifest.nodes.values()]
    roots += [
        macro.macro_sql
        for macro in manifest.macros.values()
        if macro.package_name == manifest.metadata.project_name
    ]
    roots += [str(node.config.materialized) for node in manifest.nodes.values()]
    for package in _CALLERS:
        for place in importlib.import_module(package).__path__:
            for file in Path(place).rglob("*.py"):
                roots += re.findall(r"""["'](\w+)["']""", file.read_text(encoding="utf-8"))
    used: set[str] = set()
    unread = roots
    while unread:
        for word in set(re.findall(r"\w+", unread.pop())):
            names = [prefix + word for prefix in _PREFIXES] + [
                name.format(word) for name in _MATERIALIZATIONS
            ]
            for name in macros.keys() & set(names) - used:
                used.add(name)
                unread += macros[name]
    return frozenset(used)


@contextmanager
def lightened() -> Iterator[None]:
    """Make no events but the one that is heard, and compile templates and contexts once.

    And leave the other cores to the other processes: on few rows a query does not get faster by them.
    """
    import dbt.compilation
    import dbt.task.run
    from dbt.adapters.duckdb.environments.local import LocalEnvironment
    from dbt.context.providers import ModelContext, RuntimeProvider
    from dbt_common.clients import agate_helper, jinja
    from dbt_common.events.base_types import BaseEvent
    from dbt_common.events.event_manager import EventManager

    make, fire, compile_ = BaseEvent.__init__, EventManager.fire_event, jinja.MacroFuzzEnvironment.compile
    test_types = agate_helper.build_type_tester
    # results without rows are never changed
    nothing = agate_helper.empty_table()

    def make_heard(event: BaseEvent, *args: Any, **kwargs: Any) -> None:
        if type(event).__name__ == _HEARD:
            make(event, *args, **kwargs)
        else:
            event.pb_msg = getattr(event.PROTO_TYPES_MODULE, type(event).__name__)()

    def fire_heard(manager: EventManager, event: BaseEvent, *args: Any, **kwargs: Any) -> None:
        if type(event).__name__ == _HEARD:
            fire(manager, event, *args, **kwargs)

    def compile_once(environment: Any, source: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(source, str) or args or kwargs:
            return compile_(environment, source, *args, **kwargs)
        key = (type(environment), source)
        if key not in _COMPILED:
            _COMPILED[key] = compile_(environment, source)
        return _COMPILED[key]

    def test_types_once(text_columns: Iterable[str], string_null_values: Any = ("null", "")) -> Any:
        key = (tuple(text_columns), string_null_values)
        if key not in _TYPE_TESTERS:
            _TYPE_TESTERS[key] = test_types(key[0], string_null_values)
        return _TYPE_TESTERS[key]

    open_file = LocalEnvironment.initialize_db

    def open_on_one_core(_environment: Any, *args: Any, **kwargs: Any) -> Any:
        connection = open_file(*args, **kwargs)
        connection.execute("set threads = 1")
        return connection

    contexts: dict[str, ModelContext] = {}

    def context_once(model: Any, config: Any, manifest: Any) -> dict[str, Any]:
        """What a model's templates see: made when it is compiled, and seen again when it is run."""
        context = contexts.pop(model.unique_id, None)
        if context is None:
            context = contexts[model.unique_id] = ModelContext(
                model, config, manifest, RuntimeProvider(), None
            )
        return context.to_dict()

    with ExitStack() as patches:
        for target, name, replacement in (
            (LocalEnvironment, "initialize_db", open_on_one_core),
            (BaseEvent, "__init__", make_heard),
            (EventManager, "fire_event", fire_heard),
            (jinja.MacroFuzzEnvironment, "compile", compile_once),
            (agate_helper, "build_type_tester", test_types_once),
            (agate_helper, "empty_table", lambda: nothing),
            # a graph that was parsed has no cycles
            (dbt.compilation.Linker, "find_cycles", lambda _: None),
            (dbt.compilation, "generate_runtime_model_context", context_once),
            (dbt.task.run, "generate_runtime_model_context", context_once),
        ):
            patches.enter_context(patch.object(target, name, replacement))
        yield
