"""Exchange rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import no_rows, text_length

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_finance__exchange_rates")
def exchange_rates(thresholds: Thresholds) -> list[Expectation]:
    """Rates are above zero, of currencies with a code, and do not jump as one quoted upside down would."""
    return [
        text_length("currency", 3),
        no_rows(
            "expect_rates_above_zero",
            ["rate"],
            "select rate_on, currency, rate from batch where not rate > 0",
        ),
        no_rows(
            "expect_rates_not_to_jump",
            ["rate"],
            """
            with sequenced as (
                select
                    rate_on,
                    currency,
                    rate,
                    lag(rate) over (partition by currency order by rate_on) as previous_rate
                from batch
                where rate > 0
            )
            select *
            from sequenced
            where greatest(rate / previous_rate, previous_rate / rate) > :factor
            """,
            {"factor": thresholds.value("staging", "stg_finance__exchange_rates", "rate_factor_max")},
        ),
    ]
