{{
    config(
        materialized="incremental",
        incremental_strategy="recorded",
        full_refresh=false,
        on_schema_change="append_new_columns",
    )
}}
-- What became of the rows that every night has handled, between the layers: rows in =
-- rows out + quarantined + superseded + deleted + excluded, each with its reason. A
-- test stops the night whose accounts do not balance. Grain: run, layer, source table,
-- outcome and reason.
{%- set tickets = ref("stg_support__tickets") %}
{%- set orders = ref("stg_orders__orders") %}
{%- set restated_identities = ref("int_night__restated_identities") %}
{%- set feeding = [
    ("web_events", ref("stg_web__events"), "occurred_at"),
    ("message_events", ref("stg_messages__events"), "occurred_at"),
    ("coupon_redemptions", ref("stg_coupons__redemptions"), "redeemed_at"),
    ("orders", orders, "ordered_at"),
    ("support_tickets", tickets, "created_at"),
    ("social_events", ref("stg_social__events"), "occurred_at"),
    ("reviews", ref("stg_reviews__reviews"), "created_at"),
    ("loyalty_events", ref("stg_loyalty__events"), "occurred_at"),
    ("survey_responses", ref("stg_surveys__responses"), "responded_at"),
    ("community_events", ref("stg_community__events"), "occurred_at"),
    ("store_visits", ref("stg_stores__visits"), "entered_at"),
    ("referrals", ref("stg_referrals__referrals"), "sent_at"),
] %}
with

    staged as (select * from {{ ref("stg_quarantine__row_accounts") }}),

    quarantined as (
        select source_table, quarantine_rule as reason, count(*) as row_count
        from {{ ref("stg_quarantine__rows") }}
        where {{ is_unseen() }}
        group by source_table, quarantine_rule
    ),

    -- rows of staging that tonight's interactions and touches are made from
    handed_over as (
        {% for table, relation, time in feeding -%}
            select '{{ table }}' as source_table, count(*) as row_count
            from
                (
                    {{
                        staged_rows_of_tonight(
                            relation, time, name="int_interactions__identified"
                        )
                    }}
                ) as tonight
            union all
        {% endfor -%}
        select 'support_messages' as source_table, count(*) as row_count
        from {{ ref("stg_support__messages") }} as messages
        {%- if builds_on_last_night("int_interactions__identified") %}
            left join {{ tickets }} as tickets on messages.ticket_id = tickets.ticket_id
            where
                messages.sent_at >= {{ known_until() }}
                or tickets.identity_hash in (
                    select restated.identity_hash
                    from {{ restated_identities }} as restated
                )
        {%- endif %}
        union all
        select 'order_returns' as source_table, count(*) as row_count
        from {{ ref("stg_orders__returns") }} as order_returns
        {%- if builds_on_last_night("int_interactions__identified") %}
            left join {{ orders }} as orders on order_returns.order_id = orders.order_id
            where
                order_returns.returned_at >= {{ known_until() }}
                or orders.identity_hash in (
                    select restated.identity_hash
                    from {{ restated_identities }} as restated
                )
        {%- endif %}
    ),

    excluded as (
        select source_table, exclusion_reason as reason, count(*) as row_count
        from {{ ref("int_interactions__unioned") }}
        where exclusion_reason is not null
        group by source_table, exclusion_reason
        union all
        select source_table, exclusion_reason as reason, count(*) as row_count
        from {{ ref("int_touches__unioned") }}
        where exclusion_reason is not null
        group by source_table, exclusion_reason
    ),

    identified as (
        select source_table, count(*) as row_count
        from {{ rows_written(ref("int_interactions__identified")) }}
        group by source_table
        union all
        select source_table, count(*) as row_count
        from {{ rows_written(ref("int_touches__identified")) }}
        group by source_table
    ),

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    handed_on as (
        select source_table, count(*) as row_count
        from
            (
                {{
                    rows_of_tonight(
                        ref("int_interactions__identified"),
                        "restated_customers",
                        "occurred_at",
                        known_until(),
                        name="fct_interactions",
                    )
                }}
            ) as interactions
        group by source_table
        union all
        select source_table, count(*) as row_count
        from
            (
                {{
                    rows_of_tonight(
                        ref("int_touches__identified"),
                        "restated_customers",
                        "touched_at",
                        known_until(),
                        name="fct_touches",
                    )
                }}
            ) as touches
        group by source_table
    ),

    published as (
        select source_table, count(*) as row_count
        from {{ rows_written(ref("fct_interactions")) }}
        group by source_table
        union all
        select source_table, count(*) as row_count
        from {{ rows_written(ref("fct_touches")) }}
        {%- if builds_on_last_night("fct_touches") %}
            -- the others were written only because they were answered
            where
                touched_at >= {{ known_until() }}
                or customer_id
                in (select restated_customers.customer_id from restated_customers)
        {%- endif %}
        group by source_table
    ),

    accounts as (
        select
            'staging' as layer,
            source_table,
            'in' as outcome,
            cast(null as {{ dbt.type_string() }}) as reason,
            rows_in as row_count
        from staged
        union all
        select
            'staging' as layer,
            source_table,
            'out' as outcome,
            cast(null as {{ dbt.type_string() }}) as reason,
            rows_out as row_count
        from staged
        union all
        select
            'staging' as layer,
            source_table,
            'superseded' as outcome,
            'later_version' as reason,
            rows_superseded as row_count
        from staged
        union all
        select
            'staging' as layer,
            source_table,
            'deleted' as outcome,
            'deleted_at_source' as reason,
            rows_deleted as row_count
        from staged
        union all
        select
            'staging' as layer,
            source_table,
            'excluded' as outcome,
            'erased' as reason,
            rows_erased as row_count
        from staged
        union all
        select
            'staging' as layer,
            source_table,
            'quarantined' as outcome,
            reason,
            row_count
        from quarantined
        union all
        select
            'intermediate' as layer,
            source_table,
            'in' as outcome,
            cast(null as {{ dbt.type_string() }}) as reason,
            row_count
        from handed_over
        union all
        select
            'intermediate' as layer,
            source_table,
            'out' as outcome,
            cast(null as {{ dbt.type_string() }}) as reason,
            row_count
        from identified
        union all
        select
            'intermediate' as layer,
            source_table,
            'excluded' as outcome,
            reason,
            row_count
        from excluded
        union all
        select
            'marts' as layer,
            source_table,
            'in' as outcome,
            cast(null as {{ dbt.type_string() }}) as reason,
            row_count
        from handed_on
        union all
        select
            'marts' as layer,
            source_table,
            'out' as outcome,
            cast(null as {{ dbt.type_string() }}) as reason,
            row_count
        from published
    ),

    final as (
        select
            '{{ var("run_id") }}' as run_id,
            layer,
            source_table,
            outcome,
            reason,
            cast(sum(row_count) as bigint) as row_count
        from accounts
        group by layer, source_table, outcome, reason
        having sum(row_count) > 0 or outcome in ('in', 'out')
    )

select *
from final
