{{ config(materialized="view") }}
-- How long customers wait: for the first public message of an agent, and for the
-- solution; by the clock, and in the hours in which the house is open. Times are whole
-- microseconds, so that sums are exact. Grain: staged ticket that a customer opened.
with

    tickets as (
        select
            ticket_id,
            created_at,
            coalesce(ticket_type = 'complaint', false) as is_complaint,
            -- a solution after the snapshot date is not known yet
            case
                when solved_at < {{ as_of_end() }} then greatest(solved_at, created_at)
            end as solved_at
        from {{ ref("stg_support__tickets") }}
        where
            coalesce(created_by, 'customer') = 'customer'
            and created_at < {{ as_of_end() }}
    ),

    messages as (select * from {{ ref("stg_support__messages") }}),

    answers as (
        select ticket_id, min(sent_at) as answered_at
        from messages
        where
            author_role = 'agent'
            and coalesce(is_public, true)
            and sent_at < {{ as_of_end() }}
        group by ticket_id
    ),

    instants as (
        select ticket_id, 'created' as kind, created_at as reached_at
        from tickets
        union all
        select
            tickets.ticket_id,
            'answered' as kind,
            greatest(answers.answered_at, tickets.created_at) as reached_at
        from tickets
        inner join answers on tickets.ticket_id = answers.ticket_id
        union all
        select ticket_id, 'solved' as kind, solved_at as reached_at
        from tickets
        where solved_at is not null
    ),

    dated as (select *, {{ business_day("reached_at") }} as reached_on from instants),

    hours as (select * from {{ ref("business_hours") }}),

    closures as (select * from {{ ref("business_closures") }}),

    -- a century of days
    numbers as ({{ dbt.generate_series(36525) }}),

    bounds as (select min(reached_on) as first_on from dated),

    days as (
        select
            cast(
                bounds.first_on + cast(numbers.generated_number - 1 as integer) as date
            ) as date_on
        from bounds
        cross join numbers
        where
            numbers.generated_number - 1
            <= {{ days_between("bounds.first_on", as_of()) }}
    ),

    opened as (
        select
            days.date_on,
            {{
                local_to_utc(
                    "cast(cast(days.date_on as "
                    ~ dbt.type_string()
                    ~ ") || ' ' || hours.opens_at || ':00' as timestamp)",
                    var("business_time_zone", "UTC"),
                )
            }} as opens_at,
            {{
                local_to_utc(
                    "cast(cast(days.date_on as "
                    ~ dbt.type_string()
                    ~ ") || ' ' || hours.closes_at || ':00' as timestamp)",
                    var("business_time_zone", "UTC"),
                )
            }} as closes_at
        from days
        inner join
            hours
            on {{ days_between(week_start("days.date_on"), "days.date_on") }} + 1
            = hours.iso_day_of_week
        anti join closures on days.date_on = closures.closed_on
    ),

    measured as (
        select
            days.date_on,
            opened.opens_at,
            coalesce(
                {{ microseconds_between("opened.opens_at", "opened.closes_at") }}, 0
            ) as open_time
        from days
        left join opened on days.date_on = opened.date_on
    ),

    calendar as (
        select
            *,
            sum(open_time) over (
                order by date_on rows between unbounded preceding and current row
            )
            - open_time as open_time_before
        from measured
    ),

    -- time in which the house was open, from the first day of the calendar on
    clocked as (
        select
            dated.*,
            calendar.open_time_before + least(
                calendar.open_time,
                greatest(
                    0,
                    coalesce(
                        {{
                            microseconds_between(
                                "calendar.opens_at", "dated.reached_at"
                            )
                        }},
                        0
                    )
                )
            ) as open_time
        from dated
        inner join calendar on dated.reached_on = calendar.date_on
    ),

    final as (
        select
            tickets.ticket_id,
            tickets.is_complaint,
            created.reached_at as created_at,
            created.reached_on as created_on,
            answered.reached_at as answered_at,
            answered.reached_on as answered_on,
            {{ microseconds_between("created.reached_at", "answered.reached_at") }}
            as answer_microseconds,
            cast(
                answered.open_time - created.open_time as bigint
            ) as answer_business_microseconds,
            solved.reached_at as solved_at,
            solved.reached_on as solved_on,
            {{ microseconds_between("created.reached_at", "solved.reached_at") }}
            as solution_microseconds,
            cast(
                solved.open_time - created.open_time as bigint
            ) as solution_business_microseconds
        from tickets
        inner join
            clocked as created
            on tickets.ticket_id = created.ticket_id
            and created.kind = 'created'
        left join
            clocked as answered
            on tickets.ticket_id = answered.ticket_id
            and answered.kind = 'answered'
        left join
            clocked as solved
            on tickets.ticket_id = solved.ticket_id
            and solved.kind = 'solved'
    )

select *
from final
