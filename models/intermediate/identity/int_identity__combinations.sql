{{
    config(
        materialized="incremental",
        incremental_strategy="rekeyed",
        meta={
            "rekeyed": ["seen_in", "identity_hash"],
            "watched": identifier_types() + ["first_seen_at"],
        },
    )
}}
-- Identifiers (as keys) that were seen together in one row of one table, and when
-- first. Grain: one distinct combination of identifiers per table. Blocked values name
-- nobody and are left out. A night adds what is new; what a row said that was changed
-- or deleted is counted again from all rows of its leading identifier.
{%- set sources = [
    (
        "customers",
        ref("stg_customers__customers"),
        "coalesce(created_at, loaded_at)",
        ["customer_ref", "loyalty_id", "email", "phone"],
    ),
    (
        "web_events",
        ref("stg_web__events"),
        "occurred_at",
        ["user_id", "email", "anonymous_id"],
    ),
    (
        "message_events",
        ref("stg_messages__events"),
        "occurred_at",
        ["customer_ref", "email", "phone"],
    ),
    (
        "coupon_redemptions",
        ref("stg_coupons__redemptions"),
        "redeemed_at",
        ["customer_ref", "loyalty_id", "email"],
    ),
    (
        "orders",
        ref("stg_orders__orders"),
        "ordered_at",
        ["customer_ref", "user_id", "loyalty_id", "email", "phone"],
    ),
    (
        "support_tickets",
        ref("stg_support__tickets"),
        "created_at",
        ["customer_ref", "user_id", "email", "handle"],
    ),
    (
        "social_events",
        ref("stg_social__events"),
        "occurred_at",
        ["customer_ref", "handle"],
    ),
    (
        "reviews",
        ref("stg_reviews__reviews"),
        "created_at",
        ["customer_ref", "user_id", "email", "handle"],
    ),
    (
        "loyalty_events",
        ref("stg_loyalty__events"),
        "occurred_at",
        ["customer_ref", "loyalty_id", "email"],
    ),
    (
        "survey_responses",
        ref("stg_surveys__responses"),
        "responded_at",
        ["customer_ref", "email"],
    ),
    (
        "community_events",
        ref("stg_community__events"),
        "occurred_at",
        ["customer_ref", "user_id", "email", "handle"],
    ),
    (
        "store_visits",
        ref("stg_stores__visits"),
        "entered_at",
        ["customer_ref", "loyalty_id"],
    ),
    (
        "referrers",
        ref("stg_referrals__referrals"),
        "sent_at",
        {"customer_ref": "referrer_ref"},
    ),
    (
        "referred",
        ref("stg_referrals__referrals"),
        "sent_at",
        {"customer_ref": "referred_ref", "email": "referred_email"},
    ),
] %}

{#- tables of customers rather than of events are read whole in every night -#}
{%- set whole = ["customers", "referrers", "referred"] %}
{%- set is_night = builds_on_last_night() %}
{%- set blocked = blocked_identifiers() %}

with

    {% for name, relation, seen_at, columns in sources -%}
        {{ name }} as (
            select
                '{{ name }}' as seen_in,
                {%- for type in identifier_types() %}
                    {%- if columns is mapping and type in columns %}
                        {{ allowed_identifier(type, blocked, columns[type]) }}
                        as {{ type }},
                    {%- elif type in columns %}
                        {{ allowed_identifier(type, blocked) }} as {{ type }},
                    {%- else %} cast(null as {{ dbt.type_string() }}) as {{ type }},
                    {%- endif %}
                {%- endfor %}
                {{ seen_at }} as seen_at
            from
                {% if is_night and name not in whole -%}
                    ({{ rows_seen_otherwise(relation, seen_at) }}) as staged
                {%- else -%} {{ relation }}
                {%- endif %}
            where {{ seen_at }} < {{ as_of_end() }}
        ),

    {% endfor -%}

    observations as (
        {% for name, _, _, _ in sources -%}
            select * from {{ name }} {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    hashed as (
        select
            *,
            {{ key_hash("coalesce(" ~ identifier_types() | join(", ") ~ ")") }}
            as identity_hash
        from observations
        where coalesce({{ identifier_types() | join(", ") }}) is not null
    ),

    {% if is_night -%}
        -- leading identifiers that are counted again from all their rows
        recounted as (
            {% for name, relation, _, _ in sources if name not in whole -%}
                select '{{ name }}' as seen_in, identity_hash
                from {{ changes_of(relation) }}
                where {{ is_unseen() }} and identity_hash is not null
                union
            {% endfor -%}
            select seen_in, identity_hash
            from {{ this }}
            where
                seen_in in (
                    {%- for name in whole %}
                        '{{ name }}'{{ ", " if not loop.last }}
                    {%- endfor %}
                )
        ),

        -- and what is stored of the others that were seen tonight
        former as (
            select
                combinations.seen_in,
                {%- for type in identifier_types() %}
                    combinations.{{ type }},
                {%- endfor %}
                combinations.first_seen_at,
                combinations.identity_hash
            from {{ this }} as combinations
            semi join
                hashed
                on combinations.seen_in = hashed.seen_in
                and combinations.identity_hash = hashed.identity_hash
            anti join
                recounted
                on combinations.seen_in = recounted.seen_in
                and combinations.identity_hash = recounted.identity_hash
        ),
    {%- endif %}

    known as (
        select
            seen_in,
            {{ identifier_types() | join(",\n            ") }},
            seen_at as first_seen_at,
            identity_hash
        from hashed
        {%- if is_night %}
            union all
            select *
            from former
        {%- endif %}
    ),

    final as (
        select
            seen_in,
            {{ identifier_types() | join(",\n            ") }},
            min(first_seen_at) as first_seen_at,
            identity_hash,
            false as is_gone
        from known
        group by seen_in, {{ identifier_types() | join(", ") }}, identity_hash
        {%- if is_night %}
            union all
            select
                seen_in,
                {%- for type in identifier_types() %}
                    cast(null as {{ dbt.type_string() }}) as {{ type }},
                {%- endfor %}
                cast(null as timestamp) as first_seen_at,
                identity_hash,
                true as is_gone
            from recounted
        {%- endif %}
    )

select *
from final
