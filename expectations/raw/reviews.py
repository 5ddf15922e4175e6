"""Reviews and ratings."""

from expectations.raw.contract_table import contract_table

reviews = contract_table(
    "reviews",
    columns=(
        "review_id",
        "site",
        "customer_ref",
        "user_id",
        "email",
        "handle",
        "rating",
        "rating_max",
        "has_text",
        "is_invited",
        "sentiment",
        "product_id",
        "created_at",
    ),
    event_time="created_at",
    numbers=("rating", "rating_max"),
)
