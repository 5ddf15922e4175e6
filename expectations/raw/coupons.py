"""Coupons redeemed."""

from expectations.raw.contract_table import contract_table

coupon_redemptions = contract_table("coupon_redemptions")
