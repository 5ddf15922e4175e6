-- Coupons that customers redeemed: every version as loaded, cast to the contract's
-- types, identifiers normalised, with the first rule that the row breaks. Grain: one
-- raw row.
{%- set delivered = delivered_columns("coupon_redemptions") %}
with

    raw_rows as ({{ raw_rows("coupon_redemptions", delivered) }}),

    time_bounds as ({{ time_bounds() }}),

    typed as (
        select {{ typed_columns("coupon_redemptions", delivered) }} from raw_rows
    ),

    final as (
        select
            {{ staged_columns("coupon_redemptions") }},
            {{ quarantine_rule("coupon_redemptions", delivered) }} as quarantine_rule
        from typed
        cross join time_bounds
    )

select *
from final
