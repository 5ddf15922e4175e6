"""Orders and returns."""

from expectations.raw.contract_table import contract_table

orders = contract_table(
    "orders",
    columns=(
        "order_id",
        "customer_ref",
        "user_id",
        "email",
        "phone",
        "loyalty_id",
        "sales_channel",
        "store_id",
        "ordered_at",
        "status",
        "cancelled_at",
        "total_amount",
        "discount_amount",
        "currency",
        "coupon_code",
        "promotion_id",
        "is_auto_renewal",
        "is_test",
    ),
    event_time="ordered_at",
    numbers=("total_amount", "discount_amount"),
)

order_returns = contract_table(
    "order_returns",
    columns=(
        "return_id",
        "order_id",
        "returned_at",
        "amount",
        "currency",
    ),
    event_time="returned_at",
    numbers=("amount",),
)
