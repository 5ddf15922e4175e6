"""What became of the raw rows, table by table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import ANY_TABLE, Thresholds
from expectations.vocabulary import no_rows

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

_EVERY_TABLE = 1_000
# As many as a line has room for; the queries of the runbook tell all.
_RULES_TOLD = 5

# Rules by table as tonight's rows broke them, and what mends the one that most of them broke.
_RULES = """
    select
        source_table,
        string_agg(
            concat(quarantine_rule, ': ', row_count), ', ' order by place
        ) filter (where place <= :rules_told)
        || case when count(*) > :rules_told then ', ...' else '' end as rules,
        case
            when arg_min(quarantine_rule, place) = 'no_exchange_rate'
                then 'land the rates of these currencies, of these days or earlier, in exchange_rates'
            when starts_with(arg_min(quarantine_rule, place), 'unknown_')
                then 'add the word to the contract or to seeds/interaction_types.csv, or mend the loader'
            else 'mend the loader and land the rows again with a later loaded_at'
        end as remedy
    from (
        select
            source_table,
            quarantine_rule,
            count(*) as row_count,
            row_number() over (partition by source_table order by count(*) desc, quarantine_rule) as place
        from staging.staging.stg_quarantine__rows
        where (source_table, changed_in) in (
            -- a night replaces what it reads: of a table with bad rows tonight, the last are tonight's
            select (source_table, max(changed_in))
            from staging.staging.stg_quarantine__rows
            group by source_table
        )
        group by source_table, quarantine_rule
    )
    group by source_table
"""
# Deletions have no rules.
_FEED = """
    select
        source_table,
        'a full load that came empty looks like this' as rules,
        'if so, mend the loader and land the rows again with a later loaded_at' as remedy
    from batch
"""


@suite("staging", "stg_quarantine__row_accounts")
def row_accounts(thresholds: Thresholds) -> list[Expectation]:
    """Neither quarantine nor deletion takes most of a table; dbt tests that the accounts balance.

    Single bad rows are quarantined and the night goes on; a feed that mostly ends there has changed, and
    a feed that deletes most of its rows has probably been emptied by mistake.
    """
    return [
        _few("quarantined", "expect_few_rows_in_quarantine", "are in quarantine", _RULES, thresholds),
        _few("deleted", "expect_few_rows_deleted", "are marked as deleted", _FEED, thresholds),
    ]


def _few(outcome: str, name: str, words: str, why: str, thresholds: Thresholds) -> Expectation:
    """Limit an outcome's share of the rows of a table, with the limits that tables have of their own.

    Args:
        outcome: The outcome, as the accounts call it.
        name: Name of the expectation.
        words: What is the matter with the rows, in a sentence.
        why: SQL with what can be said of tables: source_table, rules, remedy.
        thresholds: The limits.
    """

    def limit(threshold: str) -> str:
        own = thresholds.overrides("staging", threshold)
        branches = "".join(f" when '{table}' then {value}" for table, value in own.items())
        common = thresholds.value("staging", ANY_TABLE, threshold)
        return f"case source_table{branches} else {common} end" if own else str(common)

    query = """
        select
            source_table,
            unexpected_count,
            element_count,
            concat(
                source_table, ': ', unexpected_count, ' of ', element_count, ' rows (',
                round(100.0 * unexpected_count / element_count, 1), ' %) :words, more than ',
                round(100.0 * share_max, 1), ' %', coalesce(' (' || rules || ')', ''), ': ',
                coalesce(remedy || '; ', ''), 'if the feed is right, give ', source_table,
                ' a row of its own for :outcome_share_max in seeds/quality_thresholds.csv'
            ) as sentence
        from (
            select
                source_table,
                rows_:outcome as unexpected_count,
                rows_in as element_count,
                :limit_of_share as share_max,
                :limit_of_rows as tolerated
            from batch
        )
        left join (:why) using (source_table)
        where unexpected_count > tolerated and unexpected_count > share_max * element_count
        order by source_table
    """
    return no_rows(
        name,
        [f"rows_{outcome}"],
        query.replace(":why", why)
        .replace(":words", words)
        .replace(":outcome", outcome)
        .replace(":limit_of_share", limit(f"{outcome}_share_max"))
        .replace(":limit_of_rows", limit(f"{outcome}_rows_tolerated"))
        .replace(":rules_told", str(_RULES_TOLD)),
        examples=_EVERY_TABLE,
    )
