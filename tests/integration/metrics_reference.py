"""Every metric of the semantic layer in SQL by hand, and the cuts in which the two are compared.

A block is one `from` clause with the metrics that can be read from it, each as an aggregate written without a
look at how MetricFlow would write it, and cuts: what MetricFlow groups by, and the same in SQL. What does NOT
belong here: MetricFlow, and how a metric is defined (`models/semantic`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

WHOLE = ""
"""The cut that is none: one number for everything."""


@dataclass(frozen=True)
class Block:
    """Metrics that are read from the same rows.

    Attributes:
        rows: What stands after `from`.
        metrics: Metric to its aggregate.
        cuts: What MetricFlow groups by to the same expression in SQL; `WHOLE` for no grouping.
    """

    rows: str
    metrics: Mapping[str, str]
    cuts: Mapping[str, str]

    def query(self, cut: str) -> str:
        """Return the SQL of one cut: its key first, then the metrics in order of their names."""
        values = ", ".join(f"{aggregate} as {metric}" for metric, aggregate in sorted(self.metrics.items()))
        key = self.cuts[cut] if cut != WHOLE else "1"
        grouping = "" if cut == WHOLE else "group by all"
        return f"select {key} as cut, {values} from {self.rows} {grouping}"


def last(table: str, day: str = "snapshot_date") -> str:
    """Return the rows of a table's last snapshot."""
    return f"marts.{table} where {day} = (select max({day}) from marts.{table})"


def sums(*columns: str) -> dict[str, str]:
    """Return metrics that are called like the column that they add up."""
    return {column: f"sum({column})" for column in columns}


def count_if(condition: str) -> str:
    """Return the number of rows that meet a condition."""
    return f"count(*) filter (where {condition})"


def month(day: str) -> str:
    """Return the month of a day, as MetricFlow names it."""
    return f"date_trunc('month', {day})"


def survey_windows(prefix: str, unit: str) -> Iterator[Block]:
    """NPS, CSAT and CES of the last window of a length, and of every window by itself."""
    windows = f"marts.fct_survey_scores where window_unit = '{unit}'"
    metrics = {
        f"{prefix}_promoters": "sum(promoters)",
        f"{prefix}_detractors": "sum(detractors)",
        f"{prefix}_nps_respondents": "sum(respondents) filter (where metric = 'nps' and nps is not null)",
        f"{prefix}_nps": """100 * (sum(promoters) - sum(detractors))
            / nullif(sum(respondents) filter (where nps is not null), 0)""",
        f"{prefix}_nps_standard_error": """100 * sqrt(
            (sum(promoters) / sum(respondents) filter (where nps is not null)
            + sum(detractors) / sum(respondents) filter (where nps is not null)
            - ((sum(promoters) - sum(detractors)) / sum(respondents) filter (where nps is not null)) ** 2)
            / sum(respondents) filter (where nps is not null))""",
        f"{prefix}_satisfied": "sum(satisfied)",
        f"{prefix}_csat_respondents": (
            "sum(respondents) filter (where metric = 'csat' and satisfied is not null)"
        ),
        f"{prefix}_csat": "sum(satisfied) / nullif(sum(respondents) filter (where csat is not null), 0)",
        f"{prefix}_effort_score_sum": "sum(score_sum) filter (where ces is not null)",
        f"{prefix}_effort_respondents": "sum(respondents) filter (where ces is not null)",
        f"{prefix}_ces": """sum(score_sum) filter (where ces is not null)
            / sum(respondents) filter (where ces is not null)""",
    }
    yield Block(windows, metrics, {"metric_time__month": month("window_start_on")})
    newest = f"(select max(window_start_on) from {windows})"
    yield Block(
        f"{windows} and window_start_on = {newest}",
        metrics,
        {WHOLE: "", "channel": "channel", "survey_window__tier": "tier"},
    )


def lifts() -> Iterator[Block]:
    """Lift by segment of a feature: outcomes of several snapshots over what the average would have given."""
    for outcome in ("revenue", "repurchase", "lapse"):
        yield Block(
            f"""marts.fct_engagement_outcomes
            where outcome = '{outcome}' and segmentation <> 'all' and feature = 'active_days_90'""",
            {
                f"{outcome}_of_segments": "sum(outcome_total)",
                f"average_{outcome}_of_segments": "sum(customers * overall_mean)",
                f"{outcome}_lift": "cast(sum(outcome_total) as double) / sum(customers * overall_mean) - 1",
            },
            {"outcome_segment__segment": "segment"},
        )


# What MetricFlow is asked besides, for metrics that would otherwise add up what does not belong together.
WHERE: Mapping[str, str] = {
    f"{outcome}_lift": "{{ Dimension('outcome_segment__feature') }} = 'active_days_90'"
    for outcome in ("revenue", "repurchase", "lapse")
}

BLOCKS: tuple[Block, ...] = (
    Block(
        "marts.fct_engagement_days",
        {
            **sums("interactions", "visits", "weighted_interactions", "engaged_seconds", "orders", "revenue"),
            **sums("promotion_interactions", "offline_interactions"),
            "unprompted_interactions": (
                "coalesce(sum(interactions) filter (where prompt_status = 'unprompted'), 0)"
            ),
            "prompted_interactions": (
                "coalesce(sum(interactions) filter (where prompt_status = 'prompted'), 0)"
            ),
            "explicitly_prompted_interactions": (
                "coalesce(sum(interactions) filter (where prompt_rule = 'explicit'), 0)"
            ),
            "unknown_prompt_interactions": (
                "coalesce(sum(interactions) filter (where prompt_status = 'unknown'), 0)"
            ),
            "prompt_known_interactions": (
                "coalesce(sum(interactions) filter (where prompt_status <> 'unknown'), 0)"
            ),
            "strictly_unprompted_interactions": (
                "coalesce(sum(interactions) filter (where prompt_rule in ('no_prompt', 'window')), 0)"
            ),
            "active_customers": "count(distinct customer_id)",
            "active_days": "count(distinct (customer_id, active_on))",
            "proactive_share": """coalesce(sum(interactions) filter (where prompt_status = 'unprompted'), 0)
                / sum(interactions) filter (where prompt_status in ('unprompted', 'prompted'))""",
            "strict_proactive_share": """
                coalesce(sum(interactions) filter (where prompt_rule in ('no_prompt', 'window')), 0)
                / sum(interactions) filter (where prompt_status in ('unprompted', 'prompted'))""",
            "prompt_coverage": """sum(interactions) filter (where prompt_status in ('unprompted', 'prompted'))
                / sum(interactions)""",
            "promotion_share": "sum(promotion_interactions) / sum(interactions)",
            "offline_share": "sum(offline_interactions) / sum(interactions)",
            "interactions_per_active_customer": "sum(interactions) / count(distinct customer_id)",
            "active_days_per_customer": """count(distinct (customer_id, active_on))
                / count(distinct customer_id)""",
            "revenue_per_active_customer": "cast(sum(revenue) as double) / count(distinct customer_id)",
            "revenue_per_order": "cast(sum(revenue) as double) / nullif(sum(orders), 0)",
        },
        {
            WHOLE: "",
            "metric_time__month": month("active_on"),
            "channel": "channel",
            "engagement_day__context": "context",
            "customer__tier": "(select tier from marts.customer_engagement as c where c.customer_id ="
            " fct_engagement_days.customer_id)",
            "interaction_type__four_i": "(select four_i from marts.dim_interaction_types as t where"
            " t.interaction_type = fct_engagement_days.interaction_type)",
        },
    ),
    Block(
        """(select max(date_on) as month_end from marts.dim_dates group by month_starts_on)
        inner join marts.fct_engagement_days
        on active_on <= month_end and active_on > month_end - 28""",
        {
            "active_customers_28_days": "count(distinct customer_id)",
            "interactions_28_days": "sum(interactions)",
        },
        {"metric_time__month": month("month_end")},
    ),
    Block(
        """(select max(date_on) as month_end from marts.dim_dates group by month_starts_on)
        inner join marts.fct_engagement_days on active_on <= month_end""",
        {"revenue_to_date": "sum(revenue)"},
        {"metric_time__month": month("month_end")},
    ),
    Block(
        "marts.fct_visits where channel in (select channel from marts.dim_channels where is_visit_tracked)",
        {
            "tracked_visits": "count(*)",
            "bounces": count_if("is_bounce"),
            "converted_visits": count_if("has_order"),
            "page_views": "sum(page_views)",
            "visit_seconds": "sum(engaged_seconds)",
            "bounce_rate": f"{count_if('is_bounce')} / count(*)",
            "conversion_rate": f"{count_if('has_order')} / count(*)",
            "pages_per_visit": "sum(page_views) / count(*)",
            "seconds_per_visit": "sum(engaged_seconds) / count(*)",
        },
        {WHOLE: "", "metric_time__month": month("started_on")},
    ),
    Block(
        "marts.fct_touches",
        {
            "touches": "count(*)",
            "answered_touches": count_if("is_answered"),
            "response_seconds": "sum(response_seconds)",
            "touched_customers": "count(distinct customer_id)",
            "response_rate": f"{count_if('is_answered')} / count(*)",
            "seconds_per_response": f"sum(response_seconds) / nullif({count_if('is_answered')}, 0)",
            "touches_per_touched_customer": "count(*) / count(distinct customer_id)",
        },
        {WHOLE: "", "channel": "channel", "metric_time__week": "date_trunc('week', touched_on)"},
    ),
    Block(
        "marts.fct_channel_days",
        {
            "channel_visits": "sum(visits)",
            "messages_to_customers": "sum(touches)",
            "messages_to_subscribers": "sum(touches) filter (where subscribers is not null)",
            "subscriber_days": "sum(subscribers)",
            "follower_days": "sum(followers)",
            **sums("repeat_visits", "carts", "abandoned_carts", "stays", "stay_seconds"),
            **sums("sends", "deliveries", "failed_sends", "opens", "machine_opens", "clicks", "replies"),
            **sums("unsubscribes", "spam_complaints", "new_subscribers", "lost_subscribers"),
            **sums("social_interactions", "brand_posts", "followed_interactions", "tickets", "complaints"),
            **sums("first_responses", "first_response_seconds", "first_response_business_seconds"),
            **sums("resolutions", "resolution_seconds", "resolution_business_seconds"),
            **sums("reviews", "rating_sum", "positive_reviews", "negative_reviews", "enrolments", "exits"),
            **sums("points_earned", "points_redeemed", "points_expired", "placed_orders", "cancelled_orders"),
            **sums("returns", "returned_revenue", "renewals", "renewal_revenue"),
            "repeat_visit_rate": "sum(repeat_visits) / nullif(sum(visits), 0)",
            "cart_abandonment_rate": "sum(abandoned_carts) / nullif(sum(carts), 0)",
            "seconds_per_stay": "sum(stay_seconds) / nullif(sum(stays), 0)",
            "failure_rate": "sum(failed_sends) / nullif(sum(sends), 0)",
            "open_rate": "sum(opens) / nullif(sum(touches), 0)",
            "click_rate": "sum(clicks) / nullif(sum(touches), 0)",
            "unsubscribe_rate": "sum(unsubscribes) / nullif(sum(touches), 0)",
            "contact_frequency": """sum(touches) filter (where subscribers is not null)
                / nullif(sum(subscribers), 0)""",
            "engagement_rate": "100 * sum(followed_interactions) / sum(followers)",
            "complaint_share": "sum(complaints) / nullif(sum(tickets), 0)",
            "mean_first_response_seconds": "sum(first_response_seconds) / nullif(sum(first_responses), 0)",
            "mean_first_response_business_seconds": (
                "sum(first_response_business_seconds) / nullif(sum(first_responses), 0)"
            ),
            "mean_resolution_seconds": "sum(resolution_seconds) / nullif(sum(resolutions), 0)",
            "mean_resolution_business_seconds": (
                "sum(resolution_business_seconds) / nullif(sum(resolutions), 0)"
            ),
            "mean_rating": "sum(rating_sum) / nullif(sum(reviews), 0)",
            "positive_per_negative_review": "sum(positive_reviews) / nullif(sum(negative_reviews), 0)",
            "redemption_rate": "sum(points_redeemed) / nullif(sum(points_earned), 0)",
            "revenue_with_renewals": "sum(revenue) + sum(renewal_revenue)",
        },
        {WHOLE: ""},
    ),
    Block(
        "marts.fct_channel_days",
        {
            **sums("sends", "opens", "reviews", "tickets"),
            "repeat_visit_rate": "sum(repeat_visits) / nullif(sum(visits), 0)",
            "open_rate": "sum(opens) / nullif(sum(touches), 0)",
            "engagement_rate": "100 * sum(followed_interactions) / sum(followers)",
            "mean_first_response_seconds": "sum(first_response_seconds) / nullif(sum(first_responses), 0)",
            "mean_rating": "sum(rating_sum) / nullif(sum(reviews), 0)",
        },
        {"channel": "channel", "metric_time__quarter": "date_trunc('quarter', day)"},
    ),
    Block(
        last("fct_channel_days", "day"),
        sums("subscribers", "members", "followers"),
        {WHOLE: "", "channel": "channel"},
    ),
    Block(
        "marts.fct_channel_days where day = (select max(date_on) from marts.dim_dates where"
        " month_starts_on = date_trunc('month', fct_channel_days.day))",
        sums("subscribers", "members", "followers"),
        {"metric_time__month": month("day")},
    ),
    *survey_windows("monthly", "month"),
    *survey_windows("quarterly", "quarter"),
    *survey_windows("yearly", "year"),
    Block(
        "marts.fct_survey_scores where window_unit = 'quarter'",
        {
            "survey_responses": "sum(responses)",
            "survey_invitations": "sum(invitations)",
            "answered_invitations": "sum(answered_invitations)",
            "survey_response_rate": "sum(answered_invitations) / nullif(sum(invitations), 0)",
        },
        {WHOLE: "", "metric_time__quarter": "date_trunc('quarter', window_start_on)", "channel": "channel"},
    ),
    Block(
        "marts.customer_engagement",
        {
            "customers": "count(*)",
            "scored_customers": "count(score)",
            "score_total": "sum(score)",
            "score": "avg(score)",
            **{
                name: expression
                for part in ("longevity", "proactiveness", "frequency", "context", "volume")
                for name, expression in (
                    (f"{part}_points_total", f"sum({part}_contribution)"),
                    (f"{part}_points", f"sum({part}_contribution) / count(score)"),
                )
            },
            "advocates": count_if("nps_group = 'advocate'"),
            "detractors": count_if("nps_group = 'detractor'"),
            "nps_customers": "count(nps_group)",
            "nps": f"""100 * ({count_if("latest_nps_score >= 9")} - {count_if("latest_nps_score <= 6")})
                / nullif(count(latest_nps_score), 0)""",
            "nps_standard_error": """100 * sqrt(
                var_pop((latest_nps_score >= 9)::int - (latest_nps_score <= 6)::int)
                / count(latest_nps_score))""",
            "recent_revenue_90": "sum(revenue_90)",
            "recent_revenue_365": "sum(revenue_365)",
            "recent_orders_90": "sum(orders_90)",
            "recent_orders_365": "sum(orders_365)",
            "revenue_90_per_customer": "avg(cast(revenue_90 as double))",
            "revenue_365_per_customer": "avg(cast(revenue_365 as double))",
        },
        {WHOLE: "", "customer__tier": "tier", "customer__lifecycle_state": "lifecycle_state"},
    ),
    Block(
        "marts.fct_customer_journey",
        {
            "stage_customers": "count(distinct customer_id)",
            "current_stage_customers": count_if("is_current_stage"),
            "held_stage_customers": count_if("is_held"),
            "stage_days": "sum(days_in_stage)",
            "days_to_stage": "sum(days_to_reach)",
            "stage_drops": "sum(times_dropped_back)",
            "days_to_stage_per_customer": "avg(days_to_reach)",
            "stage_days_per_customer": "avg(days_in_stage)",
            "held_stage_share": "avg(is_held::int)",
        },
        {"customer_stage__journey_stage": "journey_stage"},
    ),
    Block(
        last("fct_engagement_longevity"),
        {
            "snapshot_customers": "count(*)",
            "snapshot_lapsed_customers": count_if("is_lapsed"),
            "snapshot_tenure_days": "sum(tenure_days)",
            "snapshot_recency_days": "sum(recency_days)",
            "snapshot_active_days": "sum(active_days)",
            "snapshot_active_months": "sum(active_months)",
            "lapsed_share": "avg(is_lapsed::int)",
            "mean_tenure_days": "avg(tenure_days)",
            "mean_recency_days": "avg(recency_days)",
            "mean_active_months": "avg(active_months)",
        },
        {WHOLE: "", "longevity_snapshot__lifecycle_state": "lifecycle_state"},
    ),
    Block(
        "marts.fct_engagement_longevity",
        {
            "snapshot_customers": "count(*)",
            "lapsed_share": "avg(is_lapsed::int)",
            "mean_tenure_days": "avg(tenure_days)",
        },
        {"metric_time__month": month("snapshot_date")},
    ),
    Block(
        last("fct_engagement_proactiveness"),
        {
            "unprompted_to_date": "sum(unprompted)",
            "prompt_known_to_date": "sum(unprompted) + sum(prompted)",
            "interactions_to_date_by_prompt": "sum(unprompted) + sum(prompted) + sum(unknown)",
            "touches_to_date": "sum(touches_received)",
            "answered_touches_to_date": "sum(touches_answered)",
            "proactive_share_to_date": "sum(unprompted) / (sum(unprompted) + sum(prompted))",
            "prompt_coverage_to_date": """(sum(unprompted) + sum(prompted))
                / (sum(unprompted) + sum(prompted) + sum(unknown))""",
            "response_rate_to_date": "sum(touches_answered) / nullif(sum(touches_received), 0)",
        },
        {WHOLE: "", "proactiveness_snapshot__is_low_sample": "is_low_sample"},
    ),
    Block(
        last("fct_engagement_frequency"),
        {
            "rhythm_customers": "count(*)",
            "snapshot_active_days_7": "sum(active_days_7)",
            "snapshot_active_days_28": "sum(active_days_28)",
            "snapshot_active_days_90": "sum(active_days_90)",
            "mean_active_days_90": "avg(active_days_90)",
        },
        {WHOLE: "", "frequency_snapshot__pattern": "pattern"},
    ),
    Block(
        last("fct_engagement_context"),
        {
            "context_interactions_to_date": "sum(interactions)",
            "context_promotion_interactions_to_date": "sum(promotion_interactions)",
            "promotion_share_to_date": "sum(promotion_interactions) / sum(interactions)",
        },
        {WHOLE: "", "context_snapshot__context": "context"},
    ),
    Block(
        last("fct_engagement_volume"),
        {
            "channel_interactions_to_date": "sum(interactions_to_date)",
            "channel_visits_to_date": "sum(visits_to_date)",
            "channel_weighted_interactions_to_date": "sum(weighted_interactions_to_date)",
            "channel_orders_to_date": "sum(orders_to_date)",
            "channel_revenue_to_date": "sum(revenue_to_date)",
        },
        {WHOLE: "", "channel": "channel"},
    ),
    Block(
        "marts.fct_engagement_volume",
        {"monthly_volume_interactions": "sum(interactions)"},
        {WHOLE: "", "channel": "channel", "metric_time__month": month("snapshot_date")},
    ),
    Block(
        "marts.fct_cohort_retention",
        {
            "cohort_customer_months": "sum(customers)",
            "active_customer_months": "sum(active_customers)",
            "at_risk_customer_months": "sum(at_risk_customers)",
            **sums("newly_lapsed_customers", "recovered_customers", "resurrected_customers", "new_customers"),
            "retention_rate": "sum(active_customers) / sum(customers)",
            "churn_rate": "sum(newly_lapsed_customers) / nullif(sum(at_risk_customers), 0)",
        },
        {
            WHOLE: "",
            "cohort_month_end__months_since_first": "months_since_first",
            "metric_time__month": month("snapshot_date"),
        },
    ),
    Block(
        last("fct_cohort_retention"),
        {
            "cohort_customers": "sum(customers)",
            "cohort_lapsed_customers": "sum(lapsed_customers)",
            "cohort_revenue_to_date": "sum(revenue_to_date)",
            "cohort_lapsed_share": "sum(lapsed_customers) / sum(customers)",
            "cohort_revenue_per_customer": "cast(sum(revenue_to_date) as double) / sum(customers)",
        },
        {WHOLE: "", "cohort_month_end__cohort_month__month": "cohort_month"},
    ),
    Block(
        "marts.fct_customer_survival where population = 'all' and acquisition_channel <> 'all'",
        {
            "followed_customers": "sum(lapsed_customers) + sum(censored_customers)",
            "first_lapses": "sum(lapsed_customers)",
            "censored_customers": "sum(censored_customers)",
            "days_until_lapse": "sum(days_since_first * (lapsed_customers + censored_customers))",
            "first_lapse_share": """sum(lapsed_customers)
                / nullif(sum(lapsed_customers) + sum(censored_customers), 0)""",
            "first_lapse_hazard": """sum(lapsed_customers)
                / nullif(sum(days_since_first * (lapsed_customers + censored_customers)), 0)""",
        },
        {WHOLE: "", "survival_day__acquisition_channel": "acquisition_channel"},
    ),
    Block(
        "marts.fct_customer_outcomes",
        {
            "outcome_customers": "count(*)",
            "window_revenue": "sum(revenue)",
            "repurchase_candidates": "count(has_repurchased)",
            "repurchasers": count_if("has_repurchased"),
            "lapse_candidates": "count(has_lapsed)",
            "window_lapses": count_if("has_lapsed"),
            "window_revenue_per_customer": "avg(cast(revenue as double))",
            "repurchase_rate": "avg(has_repurchased::int)",
            "lapse_rate": "avg(has_lapsed::int)",
        },
        {WHOLE: "", "metric_time__quarter": "date_trunc('quarter', snapshot_date)"},
    ),
    *lifts(),
)
