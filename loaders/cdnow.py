"""Lands the CDNOW purchase history as raw orders: a second real data set to check the models against.

CDNOW is the benchmark of the literature on repeat buying: the purchases, until mid 1998, of customers who
first bought from an online music shop in the first quarter of 1997. The text files ship inside the package
``lifetimes``, a development requirement. They are read where they lie: its ``datasets`` module needs
``pkg_resources``, which is gone from today's setuptools.

Two files, one layout (whitespace between customer, day as YYYYMMDD, number of CDs, dollars):

- ``sample``: every tenth customer, 2,357 of them, the cut on which published results rest. A line begins with
  the customer's number in the master file and one within the sample; the former is used.
- ``master``: all 23,570 customers.
"""

from datetime import date
from pathlib import Path
from typing import Literal

import duckdb

from loaders.write import LandingSummary, installed_file, land_tables

SOURCE = "cdnow"

Cut = Literal["sample", "master"]

_REMEDY = "install the project's development requirements, which include lifetimes"

# Fields are counted from the end where the sample's extra column would shift them; a heading holds no digits.
_PURCHASES = r"""
create table purchases as
with
    lines as (
        select
            unnest(string_split(content, chr(10))) as line,
            generate_subscripts(string_split(content, chr(10)), 1) as line_number
        from read_text(?)
    ),
    split as (select line_number, regexp_extract_all(line, '\S+') as fields from lines)
select
    line_number,
    fields[1] as customer_ref,
    cast(strptime(fields[-3], '%Y%m%d') as date) as bought_on,
    cast(fields[-1] as decimal(18, 2)) as dollars
from split
where regexp_full_match(fields[1], '\d+')
"""

_ORDERS = """
select
    concat_ws('|', customer_ref, bought_on, row_number() over same_day) as order_id,
    customer_ref,
    'online' as sales_channel,
    (bought_on + interval '12 hours') at time zone 'UTC' as ordered_at,
    dollars as total_amount,
    'USD' as currency,
    (bought_on + interval '1 day' + interval '2 hours') at time zone 'UTC' as loaded_at
from purchases
window same_day as (partition by customer_ref, bought_on order by line_number)
order by line_number
"""


def land(raw: Path, through: date | None = None, cut: Cut = "sample") -> LandingSummary:
    """Write CDNOW's purchases as raw orders; landing again writes the same file again.

    One line of the file is one order. A customer may have several on a day, so the orders of a customer
    and day are numbered in the order of the file: ``customer|day|number``. The file knows days only; an order
    is stamped at 12:00 UTC, which is the same calendar day in every business time zone from UTC-12 to UTC+11.
    ``loaded_at`` is 02:00 UTC of the day after. Amounts are in US dollars.

    Args:
        raw: The raw zone, a folder; made if it is not there.
        through: Last day to land; None lands everything (until 1998-06-30).
        cut: Which of the two files.

    Returns:
        Rows per raw table.

    Raises:
        LandingError: The package is not installed, or the raw zone cannot be written.
    """
    file = installed_file("lifetimes", "datasets", f"CDNOW_{cut}.txt", remedy=_REMEDY)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(_PURCHASES, [str(file)])
        connection.execute("delete from purchases where bought_on > ?", [through or date.max])
        return land_tables(connection, raw, SOURCE, {"orders": _ORDERS})
