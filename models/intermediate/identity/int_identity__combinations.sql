-- Identifiers (as keys) that were seen together in one row of one table, and when
-- first. Grain: one distinct combination of identifiers per table. Blocked values name
-- nobody and are left out.
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

with

    {% for name, relation, seen_at, columns in sources -%}
        {{ name }} as (
            select
                '{{ name }}' as seen_in,
                {%- for type in identifier_types() %}
                    {%- if columns is mapping and type in columns %}
                        {{ allowed_identifier(type, columns[type]) }} as {{ type }},
                    {%- elif type in columns %}
                        {{ allowed_identifier(type) }} as {{ type }},
                    {%- else %} cast(null as {{ dbt.type_string() }}) as {{ type }},
                    {%- endif %}
                {%- endfor %}
                {{ seen_at }} as seen_at
            from {{ relation }}
            where {{ seen_at }} < {{ as_of_end() }}
        ),

    {% endfor -%}

    observations as (
        {% for name, _, _, _ in sources -%}
            select * from {{ name }} {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    final as (
        select
            seen_in,
            {{ identifier_types() | join(",\n        ") }},
            min(seen_at) as first_seen_at,
            count(*) as observations
        from observations
        where coalesce({{ identifier_types() | join(", ") }}) is not null
        group by seen_in, {{ identifier_types() | join(", ") }}
    )

select *
from final
