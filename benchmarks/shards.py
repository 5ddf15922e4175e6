"""Makes one large sample of several: every id of a further shard gets a name of its own, in SQL.

The generator holds a sample in memory. A large one is therefore generated in shards, each of other people
under the same ids; renamed, no id of one is an id of another. Plans of the brand (campaigns, promotions,
rates) are the same in all and come from the first. What does NOT belong here: reading or writing files.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping

from orchestration.settings import PROJECT_ROOT
from warehouse.contract import RawTable

# About 10 M interactions over three years: the generator takes 4 GB for them.
MOST_CUSTOMERS = 77_000
COMMON_TABLES = ("campaigns", "promotions", "exchange_rates", "social_account_days")

_REFERENCES = ("order_id", "ticket_id", "click_id", "post_id")
_TYPED_BY = {"left_value": "left_type", "right_value": "right_type", "identifier_value": "identifier_type"}


def sizes(customers: int) -> list[int]:
    """Return the customers of every shard: as few shards as allowed, of nearly the same size."""
    number = -(-customers // MOST_CUSTOMERS)
    return [customers // number + (shard < customers % number) for shard in range(number)]


def blocked_values() -> list[str]:
    """Return the identifiers that are nobody's; they mean the same in every shard."""
    with (PROJECT_ROOT / "seeds" / "blocked_identifiers.csv").open(encoding="utf-8", newline="") as file:
        return [row["identifier_value"] for row in csv.DictReader(file)]


def renamed(table: RawTable, shard: int, blocked: Iterable[str]) -> Mapping[str, str]:
    """Return the SQL of the columns whose values a shard renames.

    Args:
        table: Raw table.
        shard: Number of the shard; the first, 0, keeps its names.
        blocked: Values that stay as they are, in lower case.

    Returns:
        Column to expression; a column that is not named stays.
    """
    if shard == 0:
        return {}
    kept = ", ".join(f"'{value}'" for value in blocked)
    found = {}
    for column in table.columns:
        name = column.name
        plain = f"{name} || '-s{shard}'"
        email = f"replace({name}, '@', '.s{shard}@')"
        if column.is_identifier:
            own = plain
            if name in _TYPED_BY:
                own = f"case when {_TYPED_BY[name]} = 'email' then {email} else {plain} end"
            elif name.endswith("email"):
                own = email
            elif name == "phone":
                # the numbers that are kept for fiction are used up by the first shard
                own = "cast(null as varchar)"
            found[name] = f"case when lower(trim({name})) in ({kept}) then {name} else {own} end"
        elif (column.is_key or name in _REFERENCES) and column.data_type == "varchar":
            found[name] = plain
    return found
