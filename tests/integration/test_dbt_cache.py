"""What macros look up in dbt's cache of relations was put there before the first model is built.

A schema that dbt fills when it is first asked for is seen half filled by another thread: a raw table is then
taken for one that is not there, or identifiers that are blocked for none.
"""

from datetime import date, timedelta
from pathlib import Path

import pytest
from bare_nights import BareWarehouse
from dbt.adapters.base import BaseAdapter
from nights import SAMPLE_END

from orchestration import dbt


@pytest.mark.slow
def test_no_schema_is_looked_up_while_models_are_built(
    sample_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    looked_up = []
    list_relations = BaseAdapter.list_relations

    def watched(adapter: BaseAdapter, database: str | None, schema: str):
        if not adapter._schema_is_cached(database, schema):
            looked_up.append(schema)
        return list_relations(adapter, database, schema)

    monkeypatch.setattr(BaseAdapter, "list_relations", watched)
    warehouse = BareWarehouse(tmp_path, raw=sample_raw)
    day = date.fromisoformat(SAMPLE_END)
    warehouse.night(day)
    # as in a night, where a layer is an invocation of its own
    warehouse.night(day + timedelta(days=1), select=dbt.selection("intermediate"))
    assert not looked_up
