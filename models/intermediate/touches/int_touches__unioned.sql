{{ config(materialized="view") }}
-- Every touch of the brand, one feed under the other. Grain: one row of a source that
-- tells of a touch, with the reason where it reached nobody.
{%- set feeds = [
    ref("int_messages__touches"),
    ref("int_support__touches"),
    ref("int_social__touches"),
] %}
{% for feed in feeds -%}
    select
        touch_id,
        source_table,
        source_key,
        identity_key,
        channel,
        campaign_id,
        touched_at,
        is_date_only,
        loaded_at,
        case
            when exclusion_reason is not null
            then exclusion_reason
            when touched_at >= {{ as_of_end() }}
            then 'after_snapshot_date'
            when identity_key is null
            then 'no_identifier'
        end as exclusion_reason
    from {{ feed }} {{ "union all" if not loop.last }}
{% endfor %}
