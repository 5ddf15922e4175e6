"""The CRM's customers, and links between identifiers."""

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

identity_links = contract_table(
    "identity_links",
    columns=(
        "link_id",
        "left_type",
        "left_value",
        "right_type",
        "right_value",
        "observed_at",
    ),
    event_time="observed_at",
)
