-- Whether a customer has a ticket open, or solved a short time ago, from one instant to
-- the next. Grain: customer and instant at which that may change.
with

    tickets as (
        select
            {{ leading_identifier_key(["customer_ref", "user_id", "email", "handle"]) }}
            as identity_key,
            created_at,
            case when solved_at < {{ as_of_end() }} then solved_at end as solved_at
        from {{ ref("stg_support__tickets") }}
        where created_at < {{ as_of_end() }}
    ),

    assignments as (
        select identifier_key, customer_id from {{ ref("int_identity__assignments") }}
    ),

    identified as (
        select assignments.customer_id, tickets.created_at, tickets.solved_at
        from tickets
        inner join assignments on tickets.identity_key = assignments.identifier_key
    ),

    changes as (
        select customer_id, created_at as state_at, 1 as change
        from identified
        union all
        select
            customer_id,
            {{
                add_seconds(
                    "greatest(solved_at, created_at)",
                    "86400 * " ~ threshold("support_recovery_days"),
                )
            }} as state_at,
            -1 as change
        from identified
        where solved_at is not null
    ),

    summed as (
        select customer_id, state_at, sum(change) as change
        from changes
        group by customer_id, state_at
    ),

    final as (
        select
            customer_id,
            state_at,
            sum(change) over (
                partition by customer_id
                order by state_at
                rows between unbounded preceding and current row
            )
            > 0 as is_in_support_recovery
        from summed
    )

select *
from final
