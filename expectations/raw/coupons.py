"""Coupons redeemed."""

from expectations.raw.contract_table import contract_table

coupon_redemptions = contract_table(
    "coupon_redemptions",
    columns=(
        "redemption_id",
        "customer_ref",
        "email",
        "loyalty_id",
        "coupon_code",
        "campaign_id",
        "promotion_id",
        "order_id",
        "redeemed_at",
        "is_date_only",
    ),
    event_time="redeemed_at",
)
