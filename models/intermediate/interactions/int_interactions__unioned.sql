{{ config(materialized="view") }}
-- Every channel's interactions, one under the other. A new channel is one new branch
-- here and nothing further down. Grain: one row of a source that a conformer speaks
-- for, with the reason where it is no act of a customer.
{%- set conformers = [
    ref("int_web__interactions"),
    ref("int_messages__interactions"),
    ref("int_coupons__interactions"),
    ref("int_orders__interactions"),
    ref("int_support__interactions"),
    ref("int_social__interactions"),
    ref("int_reviews__interactions"),
    ref("int_loyalty__interactions"),
    ref("int_surveys__interactions"),
    ref("int_community__interactions"),
    ref("int_stores__interactions"),
    ref("int_referrals__interactions"),
] %}
{% for conformer in conformers -%}
    select
        interaction_id,
        source_table,
        source_key,
        identity_key,
        channel,
        interaction_type,
        actor,
        occurred_at,
        is_date_only,
        is_explicit_prompt,
        campaign_id,
        is_promotion_on_record,
        engaged_seconds,
        sentiment,
        revenue,
        order_id,
        loaded_at,
        case
            when exclusion_reason is not null
            then exclusion_reason
            when occurred_at >= {{ as_of_end() }}
            then 'after_snapshot_date'
            when identity_key is null
            then 'no_identifier'
        end as exclusion_reason
    from {{ conformer }} {{ "union all" if not loop.last }}
{% endfor %}
