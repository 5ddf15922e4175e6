{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__restated_customers",
                "since": "month_start",
                "unit": "month",
            }
        },
    )
}}
-- Acts of a customer by type, in the months in which the type occurs, and to date.
-- Grain: customer, interaction type and month.
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    tonight as (
        {{
            rows_of_tonight(
                ref("int_interactions__identified"),
                "restated_customers",
                "occurred_on",
                open_month(),
            )
        }}
    ),

    type_months as (
        select
            customer_id,
            interaction_type,
            {{ month_start("occurred_on") }} as month_start,
            count(*) as interactions
        from tonight
        where actor = 'customer'
        group by customer_id, interaction_type, {{ month_start("occurred_on") }}
    ),

    carried as (
        {%- if builds_on_last_night() %}
            select
                former.customer_id,
                former.interaction_type,
                max(former.interactions_to_date) as interactions_to_date
            from {{ this }} as former
            semi join type_months on former.customer_id = type_months.customer_id
            anti join
                restated_customers
                on former.customer_id = restated_customers.customer_id
            where former.month_start < {{ open_month() }}
            group by former.customer_id, former.interaction_type
        {%- else %}
            select customer_id, interaction_type, interactions as interactions_to_date
            from type_months
            where 1 = 0
        {%- endif %}
    ),

    final as (
        select
            type_months.customer_id,
            type_months.interaction_type,
            type_months.month_start,
            type_months.interactions,
            cast(
                sum(type_months.interactions) over (
                    partition by type_months.customer_id, type_months.interaction_type
                    order by type_months.month_start
                    rows between unbounded preceding and current row
                )
                + coalesce(carried.interactions_to_date, 0) as bigint
            ) as interactions_to_date
        from type_months
        left join
            carried
            on type_months.customer_id = carried.customer_id
            and type_months.interaction_type = carried.interaction_type
    )

select *
from final
