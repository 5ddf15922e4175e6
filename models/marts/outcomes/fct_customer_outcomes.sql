{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__restated_customers",
                "since": "window_ends_on",
                "unit": "day",
            }
        },
    )
}}
-- How a customer engaged by T, and what came of it in the days after T: (T, T + 90].
-- Grain: customer and closed snapshot whose window is over. Features come from rows of
-- the snapshot itself, outcomes from days after it; who has no chance of an outcome (no
-- order to repeat, lapsed already, asked nothing) has none, not a zero. A night adds
-- the windows that have ended since.
{%- set window_days = "cast(" ~ threshold("outcome_window_days") ~ " as integer)" %}
{%- set since = first_unknown_day() ~ " - " ~ window_days %}
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    months as (
        select month_start, snapshot_date from {{ ref("int_calendar__months") }}
    ),

    windows as (
        select snapshot_date, cast(snapshot_date + {{ window_days }} as date) as ends_on
        from months
        where snapshot_date + {{ window_days }} <= {{ as_of() }}
    ),

    -- the months that a window touches: equal months are joined faster than ranges
    window_months as (
        select windows.snapshot_date, windows.ends_on, months.month_start
        from windows
        inner join
            months
            on windows.snapshot_date < months.month_start
            and windows.ends_on >= months.month_start
    ),

    longevity as (
        {{
            rows_of_tonight(
                ref("fct_engagement_longevity"),
                "restated_customers",
                "snapshot_date",
                since,
            )
        }}
    ),

    proactiveness as (
        {{
            rows_of_tonight(
                ref("fct_engagement_proactiveness"),
                "restated_customers",
                "snapshot_date",
                since,
            )
        }}
    ),

    frequency as (
        {{
            rows_of_tonight(
                ref("fct_engagement_frequency"),
                "restated_customers",
                "snapshot_date",
                since,
            )
        }}
    ),

    contexts as (
        {{
            rows_of_tonight(
                ref("fct_engagement_context"),
                "restated_customers",
                "snapshot_date",
                since,
            )
        }}
    ),

    channels as (
        {{
            rows_of_tonight(
                ref("fct_engagement_volume"),
                "restated_customers",
                "snapshot_date",
                since,
            )
        }}
    ),

    days as (
        {{
            rows_of_tonight(
                ref("fct_engagement_days"), "restated_customers", "active_on", since
            )
        }}
    ),

    interactions as (
        {{
            rows_of_tonight(
                ref("fct_interactions"),
                "restated_customers",
                "occurred_at",
                business_day_start("(" ~ since ~ ")"),
            )
        }}
    ),

    valued_orders as (
        select order_id, {{ business_day("cancelled_at") }} as cancelled_on
        from {{ ref("int_orders__valued") }}
        where cancelled_at is not null
    ),

    lapses as (select * from {{ ref("int_lapses__episodes") }}),

    tiers as (select * from {{ ref("int_tiers__snapshots") }}),

    nps_responses as (select * from {{ ref("int_surveys__nps_responses") }}),

    snapshots as (
        select
            longevity.customer_id,
            longevity.snapshot_date,
            windows.ends_on,
            longevity.last_active_on,
            longevity.active_months,
            longevity.recency_days
        from longevity
        inner join windows on longevity.snapshot_date = windows.snapshot_date
    ),

    promotions as (
        select
            contexts.customer_id,
            contexts.snapshot_date,
            max(contexts.promotion_share) as promotion_share
        from contexts
        inner join windows on contexts.snapshot_date = windows.snapshot_date
        group by contexts.customer_id, contexts.snapshot_date
    ),

    volumes as (
        select
            channels.customer_id,
            channels.snapshot_date,
            sum(channels.visits_to_date) as visits_to_date,
            sum(
                {{ exact("channels.weighted_interactions_to_date") }}
            ) as weighted_interactions_to_date,
            sum(channels.orders_to_date) as orders_to_date,
            sum(channels.revenue_to_date) as revenue_to_date
        from channels
        inner join windows on channels.snapshot_date = windows.snapshot_date
        group by channels.customer_id, channels.snapshot_date
    ),

    revenues as (
        select
            days.customer_id, window_months.snapshot_date, sum(days.revenue) as revenue
        from days
        inner join
            window_months
            on {{ month_start("days.active_on") }} = window_months.month_start
            and days.active_on <= window_months.ends_on
        where days.revenue <> 0
        group by days.customer_id, window_months.snapshot_date
    ),

    -- an order counts when it still stands at the window's end
    purchases as (
        select
            interactions.customer_id, window_months.snapshot_date, count(*) as purchases
        from interactions
        inner join
            window_months
            on {{ month_start("interactions.occurred_on") }} = window_months.month_start
            and interactions.occurred_on <= window_months.ends_on
        left join valued_orders on interactions.order_id = valued_orders.order_id
        where
            interactions.interaction_type = 'order'
            and (
                valued_orders.cancelled_on is null
                or valued_orders.cancelled_on > window_months.ends_on
            )
        group by interactions.customer_id, window_months.snapshot_date
    ),

    lapse_states as (
        select
            snapshots.customer_id,
            snapshots.snapshot_date,
            max(
                case
                    when lapses.lapsed_on <= snapshots.snapshot_date
                    then lapses.lapsed_on
                end
            ) as last_lapsed_on,
            count(
                case when lapses.lapsed_on > snapshots.snapshot_date then 1 end
            ) as lapses
        from snapshots
        inner join
            lapses
            on snapshots.customer_id = lapses.customer_id
            and snapshots.ends_on >= lapses.lapsed_on
        group by snapshots.customer_id, snapshots.snapshot_date
    ),

    ratings as (
        select
            nps_responses.customer_id,
            window_months.snapshot_date,
            nps_responses.score,
            row_number() over (
                partition by nps_responses.customer_id, window_months.snapshot_date
                order by nps_responses.responded_at desc, nps_responses.response_id desc
            ) as response_rank
        from nps_responses
        inner join
            window_months
            on {{ month_start("nps_responses.responded_on") }}
            = window_months.month_start
            and nps_responses.responded_on <= window_months.ends_on
    ),

    measured as (
        select
            snapshots.customer_id,
            snapshots.snapshot_date,
            snapshots.ends_on as window_ends_on,
            snapshots.active_months,
            snapshots.recency_days,
            proactiveness.proactive_share_lower,
            cast(frequency.active_days_90 as bigint) as active_days_90,
            frequency.effective_types,
            promotions.promotion_share,
            cast(volumes.visits_to_date as bigint) as visits_to_date,
            cast(
                volumes.weighted_interactions_to_date as double
            ) as weighted_interactions_to_date,
            cast(volumes.orders_to_date as bigint) as orders_to_date,
            cast(volumes.revenue_to_date as decimal(18, 4)) as revenue_to_date,
            cast(coalesce(tiers.tier_number, 0) as bigint) as tier_number,
            cast(coalesce(revenues.revenue, 0) as decimal(18, 4)) as revenue,
            case
                when volumes.orders_to_date > 0
                then coalesce(purchases.purchases, 0) > 0
            end as has_repurchased,
            -- lapsed at T: the last lapse was not followed by an act
            case
                when
                    lapse_states.last_lapsed_on is null
                    or lapse_states.last_lapsed_on <= snapshots.last_active_on
                then coalesce(lapse_states.lapses, 0) > 0
            end as has_lapsed,
            ratings.score as nps_score
        from snapshots
        inner join
            proactiveness
            on snapshots.customer_id = proactiveness.customer_id
            and snapshots.snapshot_date = proactiveness.snapshot_date
        inner join
            frequency
            on snapshots.customer_id = frequency.customer_id
            and snapshots.snapshot_date = frequency.snapshot_date
        inner join
            promotions
            on snapshots.customer_id = promotions.customer_id
            and snapshots.snapshot_date = promotions.snapshot_date
        inner join
            volumes
            on snapshots.customer_id = volumes.customer_id
            and snapshots.snapshot_date = volumes.snapshot_date
        left join
            tiers
            on snapshots.customer_id = tiers.customer_id
            and snapshots.snapshot_date = tiers.snapshot_date
        left join
            revenues
            on snapshots.customer_id = revenues.customer_id
            and snapshots.snapshot_date = revenues.snapshot_date
        left join
            purchases
            on snapshots.customer_id = purchases.customer_id
            and snapshots.snapshot_date = purchases.snapshot_date
        left join
            lapse_states
            on snapshots.customer_id = lapse_states.customer_id
            and snapshots.snapshot_date = lapse_states.snapshot_date
        left join
            ratings
            on snapshots.customer_id = ratings.customer_id
            and snapshots.snapshot_date = ratings.snapshot_date
            and ratings.response_rank = 1
    ),

    final as (
        select
            *,
            cast(
                {{
                    key_hash(
                        row_hash(
                            "measured",
                            outcome_features()
                            + [
                                "customer_id",
                                "revenue",
                                "has_repurchased",
                                "has_lapsed",
                                "nps_score",
                            ],
                        )
                    )
                }} as decimal(20, 0)
            ) as row_checksum
        from measured
    )

select *
from final
