"""The CRM's customers."""

from expectations.raw.contract_table import contract_table

customers = contract_table(
    "customers",
    columns=(
        "customer_ref",
        "created_at",
        "email",
        "phone",
        "loyalty_id",
        "country",
    ),
    event_time="created_at",
)
