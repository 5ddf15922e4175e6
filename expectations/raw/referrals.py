"""Referrals of friends."""

from expectations.raw.contract_table import contract_table

referrals = contract_table(
    "referrals",
    columns=(
        "referral_id",
        "referrer_ref",
        "referred_ref",
        "referred_email",
        "sent_at",
        "converted_at",
    ),
    event_time="sent_at",
)
