-- The months from the first interaction to the snapshot date. Grain: month (its first
-- day).
with

    bounds as (
        select
            {{ month_start("min(occurred_on)") }} as first_month,
            {{ month_start(as_of()) }} as last_month
        from {{ ref("int_interactions__identified") }}
    ),

    -- 1,200 months: a century of history
    numbers as ({{ dbt.generate_series(1200) }}),

    final as (
        select
            {{ add_months("bounds.first_month", "numbers.generated_number - 1") }}
            as month_start,
            least(
                last_day(
                    {{
                        add_months(
                            "bounds.first_month", "numbers.generated_number - 1"
                        )
                    }}
                ),
                {{ as_of() }}
            ) as snapshot_date,
            {{ add_months("bounds.first_month", "numbers.generated_number - 1") }}
            = bounds.last_month as is_current
        from bounds
        cross join numbers
        where
            {{ add_months("bounds.first_month", "numbers.generated_number - 1") }}
            <= bounds.last_month
    )

select *
from final
