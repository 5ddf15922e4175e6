-- Customers with a row of their own that changes what is stored: new, corrected,
-- deleted
-- or late rows before the first unknown instant, identifiers that now belong to
-- somebody
-- else, facts of an order, ticket or stay that become known after it happened.
-- Stateless:
-- it looks at everything that no published night has seen, so a killed night loses
-- nobody. Empty in a full build. Grain: customer, source table and reason.
{%- set sources = [
    (ref("stg_web__events"), "web_events", "occurred_at"),
    (ref("stg_messages__events"), "message_events", "occurred_at"),
    (ref("stg_coupons__redemptions"), "coupon_redemptions", "redeemed_at"),
    (ref("stg_orders__orders"), "orders", "ordered_at"),
    (ref("stg_support__tickets"), "support_tickets", "created_at"),
    (ref("stg_social__events"), "social_events", "occurred_at"),
    (ref("stg_reviews__reviews"), "reviews", "created_at"),
    (ref("stg_loyalty__events"), "loyalty_events", "occurred_at"),
    (ref("stg_surveys__responses"), "survey_responses", "responded_at"),
    (ref("stg_community__events"), "community_events", "occurred_at"),
    (ref("stg_stores__visits"), "store_visits", "entered_at"),
    (ref("stg_referrals__referrals"), "referrals", "sent_at"),
] %}
{%- set orders = ref("stg_orders__orders") %}
{%- set returns = ref("stg_orders__returns") %}
{%- set tickets = ref("stg_support__tickets") %}
{%- set ticket_messages = ref("stg_support__messages") %}
{%- set messages = ref("stg_messages__events") %}
{%- set redemptions = ref("stg_coupons__redemptions") %}
{%- set coupon_campaigns = ref("int_orders__coupon_campaigns") %}
{%- set rates = ref("stg_finance__exchange_rates") %}
{%- set stays = ref("stg_stores__visits") %}
{%- set sightings = ref("int_purchases__sightings") %}
{%- set assignments = ref("int_identity__assignments") %}
{#- read in a night only: dbt takes the order of models from a full build -#}
{%- set _ = ref("thresholds") %}
{%- set changed_numbers = changed_purchases(sightings) %}
{%- if builds_on_last_night() %}
    with

        recent_messages as (
            select identity_hash
            from {{ messages }}
            where
                occurred_at < {{ known_until() }}
                and occurred_at
                >= {{
                    add_seconds(
                        known_until(),
                        "-86400 * " ~ threshold_literal("bounce_match_days"),
                    )
                }}
                and event_name <> 'bounced'
        ),

        earlier_ticket_messages as (
            select ticket_id
            from {{ ticket_messages }}
            where sent_at < {{ known_until() }}
        ),

        earlier_returns as (
            select order_id from {{ returns }} where returned_at < {{ known_until() }}
        ),

        changed_codes as (
            select coupon_code
            from {{ changes_of(coupon_campaigns) }}
            where {{ is_unseen() }}
        ),

        -- what a key said before it was changed or deleted, and what is new and late
        changed_identities as (
            {% for relation, table, time in sources -%}
                select identity_hash, '{{ table }}' as source_table, 'changed' as reason
                from {{ changes_of(relation) }}
                where {{ is_unseen() }}
                union all
                select
                    identity_hash,
                    '{{ table }}' as source_table,
                    'changed_or_late' as reason
                from {{ relation }}
                where {{ is_unseen() }} and {{ time }} < {{ known_until() }}
                union all
            {% endfor -%}
            -- a stay in a store that ended only now
            select identity_hash, 'store_visits' as source_table, 'ended' as reason
            from {{ stays }}
            where
                entered_at < {{ known_until() }}
                and left_at >= {{ known_until() }}
                and left_at < {{ as_of_end() }}
            union all
            -- a message of earlier days that turns out to have bounced
            select
                bounces.identity_hash,
                'message_events' as source_table,
                'bounced' as reason
            from {{ messages }} as bounces
            semi join
                recent_messages on bounces.identity_hash = recent_messages.identity_hash
            where
                bounces.event_name = 'bounced'
                and bounces.occurred_at >= {{ known_until() }}
                and bounces.occurred_at < {{ as_of_end() }}
        ),

        changed_tickets as (
            select ticket_id
            from {{ changes_of(ticket_messages) }}
            where {{ is_unseen() }}
            union all
            select ticket_id
            from {{ ticket_messages }}
            where {{ is_unseen() }} and sent_at < {{ known_until() }}
            union all
            -- tickets that come after their messages
            select unseen.ticket_id
            from {{ tickets }} as unseen
            semi join
                earlier_ticket_messages
                on unseen.ticket_id = earlier_ticket_messages.ticket_id
            where {{ is_unseen() }}
        ),

        -- a rate that came, went or changed holds until the next one
        changed_rates as (
            select currency, rate_on
            from {{ rates }}
            where {{ is_unseen() }}
            union
            select currency, rate_on
            from {{ changes_of(rates) }}
            where {{ is_unseen() }}
        ),

        changed_rate_periods as (
            select
                changed_rates.currency,
                changed_rates.rate_on,
                coalesce(min(rates.rate_on), cast('9999-12-31' as date)) as next_rate_on
            from changed_rates
            left join
                {{ rates }} as rates
                on changed_rates.currency = rates.currency
                and changed_rates.rate_on < rates.rate_on
            group by changed_rates.currency, changed_rates.rate_on
        ),

        changed_orders as (
            select order_id, 'order_returns' as source_table, 'changed' as reason
            from {{ changes_of(returns) }}
            where {{ is_unseen() }}
            union all
            select
                order_id, 'order_returns' as source_table, 'changed_or_late' as reason
            from {{ returns }}
            where {{ is_unseen() }} and returned_at < {{ known_until() }}
            union all
            select
                order_returns.order_id,
                'exchange_rates' as source_table,
                'rate' as reason
            from {{ returns }} as order_returns
            inner join
                changed_rate_periods
                on order_returns.currency = changed_rate_periods.currency
                and {{ business_day("order_returns.returned_at") }}
                >= changed_rate_periods.rate_on
                and {{ business_day("order_returns.returned_at") }}
                < changed_rate_periods.next_rate_on
            where order_returns.returned_at < {{ known_until() }}
            union all
            select orders.order_id, 'exchange_rates' as source_table, 'rate' as reason
            from {{ orders }} as orders
            inner join
                changed_rate_periods
                on orders.currency = changed_rate_periods.currency
                and {{ business_day("orders.ordered_at") }}
                >= changed_rate_periods.rate_on
                and {{ business_day("orders.ordered_at") }}
                < changed_rate_periods.next_rate_on
            where orders.ordered_at < {{ known_until() }}
            union all
            -- a cancellation of the days since
            select order_id, 'orders' as source_table, 'cancelled' as reason
            from {{ orders }}
            where
                ordered_at < {{ known_until() }}
                and cancelled_at >= {{ known_until() }}
                and cancelled_at < {{ as_of_end() }}
            union all
            -- orders that come after their returns
            select unseen.order_id, 'orders' as source_table, 'late' as reason
            from {{ orders }} as unseen
            semi join earlier_returns on unseen.order_id = earlier_returns.order_id
            where {{ is_unseen() }}
            union all
            -- a redemption names an order of earlier days
            select order_id, 'coupon_redemptions' as source_table, 'coupon' as reason
            from {{ redemptions }}
            where {{ is_unseen() }} or redeemed_at >= {{ known_until() }}
            union all
            select order_id, 'coupon_redemptions' as source_table, 'coupon' as reason
            from {{ changes_of(redemptions) }}
            where {{ is_unseen() }}
            union all
            -- a coupon code that names another campaign now
            select
                orders.order_id,
                'coupon_redemptions' as source_table,
                'coupon' as reason
            from {{ orders }} as orders
            semi join changed_codes on orders.coupon_code = changed_codes.coupon_code
            where orders.ordered_at < {{ known_until() }}
        ),

        changed_purchases as ({{ changed_numbers }}),

        -- another source tells something else of the same purchase, or an order may
        -- come next to a purchase without a number
        purchases as (
            select sightings.identity_hash
            from {{ sightings }} as sightings
            semi join
                changed_purchases on sightings.order_id = changed_purchases.order_id
            -- what is new itself is told by its own source
            where
                sightings.occurred_at < {{ known_until() }}
                and not {{ is_unseen("sightings.changed_in") }}
            union
            select identity_hash
            from {{ sightings }}
            where
                order_id is null
                and occurred_at < {{ known_until() }}
                and occurred_at
                >= {{
                    add_seconds(
                        known_until(),
                        "-60 * " ~ threshold_literal("purchase_match_minutes"),
                    )
                }}
        ),

        found as (
            select identity_hash, source_table, reason
            from changed_identities
            where identity_hash is not null
            union
            select
                identity_hash, 'purchases' as source_table, 'seen_elsewhere' as reason
            from purchases
            where identity_hash is not null
            union
            select
                tickets.identity_hash,
                'support_messages' as source_table,
                'changed' as reason
            from {{ tickets }} as tickets
            semi join changed_tickets on tickets.ticket_id = changed_tickets.ticket_id
            where tickets.identity_hash is not null
            union
            select
                orders.identity_hash, changed_orders.source_table, changed_orders.reason
            from {{ orders }} as orders
            inner join changed_orders on orders.order_id = changed_orders.order_id
            where
                orders.identity_hash is not null
                -- a return may come before its order, nothing else does
                and (
                    orders.ordered_at < {{ known_until() }}
                    or changed_orders.source_table = 'order_returns'
                    or changed_orders.reason = 'late'
                )
        ),

        final as (
            select assignments.customer_id, found.source_table, found.reason
            from found
            inner join
                {{ assignments }} as assignments
                on found.identity_hash = {{ key_hash("assignments.identifier_key") }}
            union
            -- identifiers that changed hands: who had them, and who has them
            select customer_id, 'identity' as source_table, 'identity' as reason
            from {{ changes_of(assignments) }}
            where {{ is_unseen() }}
        )
{%- else %}
    with

        final as (
            select
                customer_id,
                cast(null as {{ dbt.type_string() }}) as source_table,
                cast(null as {{ dbt.type_string() }}) as reason
            from {{ assignments }}
            where 1 = 0
        )
{%- endif %}

select *
from final
