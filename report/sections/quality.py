"""Freshness and checks: what has arrived, how old it is, which checks hold, and what was held back.

What does NOT belong here: which run this was (`audit`).
"""

from __future__ import annotations

import duckdb

from report import words
from report.content import Section, Table
from report.sections import ask

_LAYERS = "list_position(['raw', 'seeds', 'staging', 'intermediate', 'marts', 'audit'], layer)"
_LOADS = """
    select table_name, file_count, row_count, rows_read, last_loaded_at
    from audit.source_loads where run_id = $run and file_count > 0 order by table_name
"""
_ABSENT = (
    "select table_name from audit.source_loads where run_id = $run and file_count = 0 order by table_name"
)
_CHECKS = f"""
    select layer, tool, count(*), count(*) filter (where is_success),
        count(*) filter (where not is_success and severity = 'warning')
    from audit.check_results where run_id = $run group by layer, tool order by {_LAYERS}, tool
"""  # noqa: S608 - the list of layers above
_BROKEN = f"""
    select layer, table_name, expectation, coalesce(column_name, ''), unexpected_count, severity
    from audit.check_results where run_id = $run and not is_success
    order by severity, {_LAYERS}, table_name, expectation
"""  # noqa: S608 - the list of layers above
_HELD_BACK = """
    select source_table, quarantine_rule, count(*) as row_count from audit.quarantine
    group by all order by row_count desc, source_table, quarantine_rule
"""


def section(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return freshness and the state of the checks of the published night."""
    night = ask.published(connection)
    run = {"run": night.run_id}
    loads = ask.rows(connection, _LOADS, run)
    checks = ask.rows(connection, _CHECKS, run)
    broken = ask.rows(connection, _BROKEN, run)
    held_back = ask.rows(connection, _HELD_BACK)
    absent = [name for (name,) in ask.rows(connection, _ABSENT, run)]
    tables = [
        Table(
            "Raw tables",
            ("Raw table", "Files", "Rows", "New rows", "Last loaded (UTC)", "Days old at the snapshot"),
            [
                (
                    name,
                    words.count(files),
                    words.count(total),
                    words.count(read),
                    words.moment(loaded),
                    words.NOTHING
                    if loaded is None
                    else words.count(max(0, (night.as_of - loaded.date()).days)),
                )
                for name, files, total, read, loaded in loads
            ],
        ),
        Table(
            "Checks of the night",
            ("Layer", "Tool", "Checks", "Passed", "Warnings"),
            [
                (layer, tool.replace("_", " "), words.count(every), words.count(passed), words.count(warned))
                for layer, tool, every, passed, warned in checks
            ],
            text_columns=frozenset({0, 1}),
        ),
    ]
    tables = [table for table in tables if table.rows]
    if broken:
        tables.append(
            Table(
                "Checks that did not hold",
                ("Table", "Layer", "Expectation", "Column", "Rows", "Severity"),
                [
                    (table, layer, expectation, column, words.count(rows), severity)
                    for layer, table, expectation, column, rows, severity in broken
                ],
                text_columns=frozenset({0, 1, 2, 3, 5}),
            )
        )
    if held_back:
        tables.append(
            Table(
                "Raw rows held back",
                ("Raw table", "Rule broken", "Rows"),
                [(table, rule.replace("_", " "), words.count(rows)) for table, rule, rows in held_back],
                text_columns=frozenset({0, 1}),
            )
        )
    every = sum(row[2] for row in checks)
    passed = sum(row[3] for row in checks)
    notes = ["Rows held back are in no number of this page."] if held_back else []
    if absent:
        notes.append(f"Not landed, so nothing here knows of it: {', '.join(absent)}.")
    lede = (
        f"All {words.count(every)} checks of the night hold."
        if every
        else "No check of this night is recorded."
    )
    if broken:
        lede = (
            f"{words.count(passed)} of {words.count(every)} checks of the night hold. What did not hold was a"
            " warning: anything else would have stopped the night."
        )
    return Section(lede=lede, tables=tables, notes=notes)
