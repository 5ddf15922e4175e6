-- Coupons that customers redeemed, latest versions. Grain: redemption_id.
with

    latest as (
        {{ latest_versions(ref("base_coupons__redemptions"), "coupon_redemptions") }}
    ),

    final as (
        select
            redemption_id,
            customer_ref,
            email,
            loyalty_id,
            coupon_code,
            campaign_id,
            promotion_id,
            order_id,
            redeemed_at,
            is_date_only,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
