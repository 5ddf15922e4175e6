"""Links between identifiers."""

from expectations.raw.contract_table import contract_table

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
