{#- Purchases, as several sources see them: where a sighting stands, and which purchases a night has to look at again.
    Which sighting counts is decided in int_purchases__matched. -#}
{#- Sightings of purchases: staged rows that tell of one. Bots and machines buy nothing. In a night the rows that no
    published night has seen. Whole select, without the precedence of the source.

    is_former   what these rows said before they were changed or deleted, instead; in a night only -#}
{% macro purchase_sightings(is_former=false) -%}
    {%- set channels = ref("channels") -%}
    {%- set tracked -%}
        sales_channel in (select channels.sales_channel from {{ channels }} as channels where channels.is_visit_tracked)
        and not coalesce(is_auto_renewal, false)
    {%- endset -%}
    {%- set sources = [
        {
            "table": "orders",
            "relation": ref("stg_orders__orders"),
            "key": "order_id",
            "identifiers": [
                "customer_ref",
                "user_id",
                "loyalty_id",
                "email",
                "phone",
            ],
            "time": "ordered_at",
            "is_timed": tracked,
            "campaign": "cast(null as " ~ dbt.type_string() ~ ")",
            "seconds": "cast(null as double)",
            "where": "true",
        },
        {
            "table": "web_events",
            "relation": ref("stg_web__events"),
            "key": "event_id",
            "identifiers": ["user_id", "email", "anonymous_id"],
            "time": "occurred_at",
            "is_timed": "true",
            "campaign": "campaign_id",
            "seconds": "engaged_seconds",
            "where": "event_name = 'purchase' and not is_bot",
        },
        {
            "table": "message_events",
            "relation": ref("stg_messages__events"),
            "key": "event_id",
            "identifiers": ["customer_ref", "email", "phone"],
            "time": "occurred_at",
            "is_timed": "not coalesce(is_date_only, false)",
            "campaign": "campaign_id",
            "seconds": "cast(null as double)",
            "where": "event_name = 'purchased' and not coalesce(is_machine, false)",
        },
    ] -%}
    {%- for source in sources %}
        select
            '{{ source.table }}' as source_table,
            {{ source.key }} as source_key,
            order_id,
            {{ leading_identifier_key(source.identifiers) }} as identity_key,
            identity_hash,
            {{ source.time }} as occurred_at,
            {{ source.is_timed }} as is_matched_by_time,
            {{ source.campaign }} as campaign_id,
            {{ source.seconds }} as engaged_seconds,
            loaded_at,
            changed_in
        from {{ changes_of(source.relation) if is_former else source.relation }}
        where
            {{ source.where }}
            {%- if is_former or builds_on_last_night() %}
                and {{ is_unseen() }}
            {%- endif %}
            {{ "union all" if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Numbers of the orders of which a night sees something else than the last one: a sighting is new, changed or deleted,
    or has occurred since. Whole select; in a night only. -#}
{% macro changed_purchases(sightings) -%}
    select order_id
    from {{ sightings }}
    where
        order_id is not null
        and (
            {{ is_unseen() }}
            or (occurred_at >= {{ known_until() }} and occurred_at < {{ as_of_end() }})
        )
    union
    select order_id
    from ({{ purchase_sightings(is_former=true) }}) as former
    where order_id is not null
{%- endmacro %}
