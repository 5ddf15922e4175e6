"""What engagement at T says of the time after T, and that it was not told beforehand.

A feature that knows of the window, or an outcome that reaches back to T, would foretell wonderfully. So both
are counted again here from the days themselves, for some customers of the latest snapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import no_rows, within

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_customer_outcomes")
def customer_outcomes(_: Thresholds) -> list[Expectation]:
    """Features of what had happened by T, outcomes of the window after T and of nothing else."""
    return [
        no_rows(
            "expect_windows_that_are_over",
            ["window_ends_on"],
            """
            select distinct snapshot_date, window_ends_on
            from batch
            where
                window_ends_on <= snapshot_date
                or window_ends_on > (select max(snapshot_date) from marts.fct_engagement_longevity)
            """,
        ),
        no_rows(
            "expect_features_to_know_nothing_of_what_comes_after",
            ["active_months", "recency_days", "visits_to_date", "orders_to_date", "revenue_to_date"],
            """
            with looked_at as (
                select *
                from batch
                where snapshot_date = (select max(snapshot_date) from batch)
                order by customer_id
                limit 1000
            ),
            known as (
                select
                    looked_at.customer_id,
                    count(distinct date_trunc('month', days.active_on)) filter (days.interactions > 0)
                    as active_months,
                    min(looked_at.snapshot_date - days.active_on) filter (days.interactions > 0)
                    as recency_days,
                    sum(days.visits) as visits_to_date,
                    coalesce(sum(days.orders), 0) as orders_to_date,
                    sum(days.revenue) as revenue_to_date
                from looked_at
                inner join marts.fct_engagement_days as days
                    on looked_at.customer_id = days.customer_id
                    and looked_at.snapshot_date >= days.active_on
                group by looked_at.customer_id
            )
            select
                looked_at.customer_id, looked_at.snapshot_date,
                looked_at.visits_to_date, known.visits_to_date as known_visits,
                looked_at.revenue_to_date, known.revenue_to_date as known_revenue
            from looked_at
            left join known on looked_at.customer_id = known.customer_id
            where
                looked_at.active_months is distinct from known.active_months
                or looked_at.recency_days is distinct from known.recency_days
                or looked_at.visits_to_date is distinct from known.visits_to_date
                or looked_at.orders_to_date is distinct from known.orders_to_date
                or looked_at.revenue_to_date is distinct from known.revenue_to_date
            """,
        ),
        no_rows(
            "expect_outcomes_of_the_window_only",
            ["revenue", "has_repurchased"],
            """
            with looked_at as (
                select *
                from batch
                where snapshot_date = (select max(snapshot_date) from batch)
                order by customer_id
                limit 1000
            ),
            windows as (
                select looked_at.customer_id, sum(days.revenue) as revenue
                from looked_at
                inner join marts.fct_engagement_days as days
                    on looked_at.customer_id = days.customer_id
                    and looked_at.snapshot_date < days.active_on
                    and looked_at.window_ends_on >= days.active_on
                group by looked_at.customer_id
            ),
            buyers as (
                select distinct looked_at.customer_id
                from looked_at
                inner join marts.fct_interactions as interactions
                    on looked_at.customer_id = interactions.customer_id
                    and looked_at.snapshot_date < interactions.occurred_on
                    and looked_at.window_ends_on >= interactions.occurred_on
                where interactions.interaction_type = 'order'
            )
            select
                looked_at.customer_id, looked_at.snapshot_date, looked_at.window_ends_on,
                looked_at.revenue, windows.revenue as revenue_of_window, looked_at.has_repurchased
            from looked_at
            left join windows on looked_at.customer_id = windows.customer_id
            left join buyers on looked_at.customer_id = buyers.customer_id
            where
                looked_at.revenue is distinct from coalesce(windows.revenue, 0)
                or (looked_at.has_repurchased and buyers.customer_id is null)
            """,
        ),
    ]


@suite("marts", "fct_engagement_outcomes")
def engagement_outcomes(_: Thresholds) -> list[Expectation]:
    """Fifths and tiers that add up, correlations that are some, and no purchase that foretells revenue."""
    return [
        within("spearman", -1, 1),
        no_rows(
            "expect_no_purchases_to_foretell_revenue",
            ["feature", "outcome"],
            """
            select distinct feature, outcome
            from batch
            where outcome = 'revenue' and (feature like 'orders%' or feature like 'revenue%')
            """,
        ),
        no_rows(
            "expect_segments_to_add_up_to_everybody",
            ["customers", "outcome_total"],
            """
            select
                snapshot_date, feature, outcome,
                sum(customers) filter (segmentation = 'all') as customers,
                sum(customers) filter (segmentation <> 'all') as in_segments
            from batch
            group by snapshot_date, feature, outcome
            having
                sum(customers) filter (segmentation = 'all')
                is distinct from sum(customers) filter (segmentation <> 'all')
                or sum(outcome_total) filter (segmentation = 'all')
                is distinct from sum(outcome_total) filter (segmentation <> 'all')
            """,
        ),
    ]
