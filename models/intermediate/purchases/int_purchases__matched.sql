-- Which sightings are of one purchase, and which of them counts: of one order number
-- the first by precedence of the source, then by time, among those that name somebody.
-- A sighting without a number is the nearest order that its customer placed online
-- within some minutes, and otherwise a purchase by itself. In a night: purchases that
-- are seen otherwise than before, and those of restated customers. Grain: one sighting
-- that gives way to a better one; in a night also, as gone, whatever is looked at
-- again.
{%- set sightings = ref("int_purchases__sightings") %}
{%- set restated_identities = ref("int_night__restated_identities") %}
{#- read in a night only: dbt takes the order of models from a full build -#}
{%- set changed_numbers = changed_purchases(sightings) %}
{%- set former_sightings = purchase_sightings(is_former=true) %}
{%- set window = "60 * " ~ threshold("purchase_match_minutes") %}
with

    known as (select * from {{ sightings }} where occurred_at < {{ as_of_end() }}),

    assignments as (
        select identifier_key, customer_id from {{ ref("int_identity__assignments") }}
    ),

    {%- if builds_on_last_night() %}
        restated as (select identity_hash from {{ restated_identities }}),

        numbers as (
            {{ changed_numbers }}
            union
            select known.order_id
            from known
            semi join restated on known.identity_hash = restated.identity_hash
            where known.order_id is not null
        ),
    {%- endif %}

    numbered as (
        select known.*
        from known
        {%- if builds_on_last_night() %}
            semi join numbers on known.order_id = numbers.order_id
        {%- else %} where known.order_id is not null
        {%- endif %}
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by order_id
                order by
                    case when identity_key is null then 1 else 0 end,
                    precedence,
                    occurred_at,
                    source_table,
                    source_key
            ) as rank_in_purchase
        from numbered
    ),

    counting as (
        select * from ranked where rank_in_purchase = 1 and identity_key is not null
    ),

    seen_by_number as (
        select
            ranked.source_table,
            ranked.source_key,
            ranked.occurred_at,
            ranked.precedence,
            ranked.campaign_id,
            ranked.engaged_seconds,
            ranked.loaded_at,
            counting.order_id,
            counting.source_table as counted_source_table,
            counting.source_key as counted_source_key,
            counting.occurred_at as counted_at,
            'same_order' as match_rule
        from ranked
        inner join counting on ranked.order_id = counting.order_id
        where ranked.rank_in_purchase > 1
    ),

    unnumbered as (
        select assignments.customer_id, known.*
        from known
        inner join assignments on known.identity_key = assignments.identifier_key
        {%- if builds_on_last_night() %}
            left join restated on known.identity_hash = restated.identity_hash
        {%- endif %}
        where
            known.order_id is null and known.is_matched_by_time
            {%- if builds_on_last_night() %}
                and (
                    restated.identity_hash is not null
                    or known.occurred_at >= {{ known_until() }}
                )
            {%- endif %}
    ),

    customers as (select distinct customer_id from unnumbered),

    placed_online as (
        select assignments.customer_id, known.*
        from known
        inner join assignments on known.identity_key = assignments.identifier_key
        semi join customers on assignments.customer_id = customers.customer_id
        where known.source_table = 'orders' and known.is_matched_by_time
    ),

    near as (
        select
            unnumbered.source_table,
            unnumbered.source_key,
            unnumbered.occurred_at,
            unnumbered.precedence,
            unnumbered.campaign_id,
            unnumbered.engaged_seconds,
            unnumbered.loaded_at,
            placed_online.order_id,
            placed_online.source_table as counted_source_table,
            placed_online.source_key as counted_source_key,
            placed_online.occurred_at as counted_at,
            row_number() over (
                partition by unnumbered.source_table, unnumbered.source_key
                order by
                    abs(
                        {{
                            microseconds_between(
                                "placed_online.occurred_at",
                                "unnumbered.occurred_at",
                            )
                        }}
                    ),
                    placed_online.occurred_at,
                    placed_online.order_id
            ) as rank_by_nearness
        from unnumbered
        inner join placed_online on unnumbered.customer_id = placed_online.customer_id
        where
            abs(
                {{
                    seconds_between(
                        "placed_online.occurred_at", "unnumbered.occurred_at"
                    )
                }}
            )
            <= {{ window }}
    ),

    seen_by_time as (
        select
            source_table,
            source_key,
            occurred_at,
            precedence,
            campaign_id,
            engaged_seconds,
            loaded_at,
            order_id,
            counted_source_table,
            counted_source_key,
            counted_at,
            'same_customer' as match_rule
        from near
        where rank_by_nearness = 1
    ),

    matched as (
        select *
        from seen_by_number
        union all
        select *
        from seen_by_time
    ),

    final as (
        select
            source_table || ':' || source_key as interaction_id,
            source_table,
            source_key,
            order_id,
            occurred_at,
            {{ business_day("occurred_at") }} as occurred_on,
            counted_source_table || ':' || counted_source_key as counted_interaction_id,
            counted_source_table,
            counted_source_key,
            {{ seconds_between("counted_at", "occurred_at") }} as seconds_apart,
            match_rule,
            cast(precedence as bigint) as precedence,
            campaign_id,
            engaged_seconds,
            loaded_at,
            false as is_gone
        from matched
        {%- if builds_on_last_night() %}
            union all
            -- whatever was said of tonight's sightings makes room for what stands above
            select
                source_table || ':' || source_key as interaction_id,
                source_table,
                source_key,
                order_id,
                occurred_at,
                {{ business_day("occurred_at") }} as occurred_on,
                cast(null as {{ dbt.type_string() }}) as counted_interaction_id,
                cast(null as {{ dbt.type_string() }}) as counted_source_table,
                cast(null as {{ dbt.type_string() }}) as counted_source_key,
                cast(null as double) as seconds_apart,
                cast(null as {{ dbt.type_string() }}) as match_rule,
                cast(null as bigint) as precedence,
                cast(null as {{ dbt.type_string() }}) as campaign_id,
                cast(null as double) as engaged_seconds,
                loaded_at,
                true as is_gone
            from
                (
                    select source_table, source_key, order_id, occurred_at, loaded_at
                    from numbered
                    union all
                    select source_table, source_key, order_id, occurred_at, loaded_at
                    from unnumbered
                    union all
                    select source_table, source_key, order_id, occurred_at, loaded_at
                    from ({{ former_sightings }}) as former
                ) as tonight
        {%- endif %}
    )

select *
from final
