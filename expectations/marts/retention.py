"""Who stays, who lapses, and for how long: cohorts and survival."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import no_rows, share

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_cohort_retention")
def cohort_retention(_: Thresholds) -> list[Expectation]:
    """States that add up to the cohort, months that lead to each other, and all the money there is."""
    return [
        share("retention_rate"),
        share("churn_rate"),
        no_rows(
            "expect_states_to_add_up_to_the_customers",
            ["customers", "active_customers", "dormant_customers"],
            """
            select cohort_month, snapshot_date, customers, active_customers, dormant_customers
            from batch
            where
                customers is distinct from active_customers + dormant_customers
                or active_customers
                is distinct from new_customers + returning_customers + resurrected_customers
            """,
        ),
        no_rows(
            "expect_lapses_to_lead_from_month_to_month",
            ["lapsed_customers", "at_risk_customers", "newly_lapsed_customers", "recovered_customers"],
            """
            with followed as (
                select
                    *,
                    customers - lapsed_customers as unlapsed,
                    lag(customers - lapsed_customers) over (
                        partition by cohort_month order by snapshot_date
                    ) as unlapsed_before
                from batch
            )
            select cohort_month, snapshot_date, unlapsed_before, at_risk_customers, unlapsed
            from followed
            where
                months_since_first > 0
                and (
                    at_risk_customers is distinct from unlapsed_before
                    or unlapsed
                    is distinct from unlapsed_before - newly_lapsed_customers + recovered_customers
                )
            """,
        ),
        no_rows(
            "expect_revenue_as_in_the_days",
            ["revenue"],
            """
            select *
            from (select sum(revenue) as revenue from batch) as cohorts
            cross join (select sum(revenue) as revenue_of_days from marts.fct_engagement_days) as days
            where coalesce(revenue, 0) is distinct from coalesce(revenue_of_days, 0)
            """,
        ),
    ]


@suite("marts", "fct_customer_survival")
def customer_survival(_: Thresholds) -> list[Expectation]:
    """Curves that only fall, within their bounds, over customers who all come to an end."""
    return [
        share("survival"),
        no_rows(
            "expect_everybody_to_lapse_or_to_be_censored",
            ["customers", "lapsed_customers", "censored_customers"],
            """
            select
                population, acquisition_channel, max(customers) as customers,
                sum(lapsed_customers) as lapsed, sum(censored_customers) as censored
            from batch
            group by population, acquisition_channel
            having max(customers) is distinct from sum(lapsed_customers) + sum(censored_customers)
            """,
        ),
        no_rows(
            "expect_survival_to_fall_where_somebody_lapses",
            ["survival"],
            """
            with followed as (
                select
                    *,
                    lag(survival) over (
                        partition by population, acquisition_channel order by days_since_first
                    ) as survival_before
                from batch
            )
            select population, acquisition_channel, days_since_first, survival_before, survival
            from followed
            where
                not survival_lower <= survival
                or not survival <= survival_upper
                or (lapsed_customers > 0) is distinct from (survival < coalesce(survival_before, 1))
            """,
        ),
    ]
