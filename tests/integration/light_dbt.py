"""dbt without what a test of data has no use for, so that a night on few rows costs less.

Much of such a night is dbt's own doing: events for loggers that nobody reads, templates that are compiled
again in every run, comments on columns. Leaving them out changes no row. What does NOT belong here: anything
that changes the SQL that makes a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from orchestration import dbt

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

# The one event that `orchestration.dbt.build` listens to.
_HEARD = "NodeFinished"
_COMPILED: dict[tuple[type, str], Any] = {}
_TYPE_TESTERS: dict[tuple[tuple[str, ...], Any], Any] = {}


def light_manifest() -> Manifest:
    """Return a fresh manifest for one night that writes no comments on tables and columns."""
    manifest = dbt.project().load()
    for node in manifest.nodes.values():
        if node.resource_type in ("model", "seed"):
            node.config.persist_docs = {}
    return manifest


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
            (dbt.compilation, "generate_runtime_model_context", context_once),
            (dbt.task.run, "generate_runtime_model_context", context_once),
        ):
            patches.enter_context(patch.object(target, name, replacement))
        yield
