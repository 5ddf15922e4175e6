"""Requests to be forgotten."""

from expectations.raw.contract_table import contract_table

erasure_requests = contract_table(
    "erasure_requests",
    columns=(
        "request_id",
        "identifier_type",
        "identifier_value",
        "requested_at",
    ),
    event_time="requested_at",
)
