"""The report as an asset, after the published file: a picture of what readers now see.

A night is published whether or not its picture succeeds: what goes wrong here is told, and the page of the
night before stays where it is, with its own date on it. What does NOT belong here: what the page shows
(`report`).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from orchestration.defs.publish import PUBLISHED
from orchestration.settings import from_environment
from orchestration.snapshot_dates import ONE_RUN
from warehouse.night import Warehouse

REPORT = dg.AssetKey(["published", "report"])


@dg.multi_asset(
    name="report",
    specs=[
        dg.AssetSpec(
            key=REPORT,
            group_name="published",
            deps=[PUBLISHED],
            kinds={"html"},
            skippable=True,
            description="engagement.html: one self-contained page of sums and shares of the published file, "
            "replaced whole.",
        )
    ],
    backfill_policy=ONE_RUN,
)
def report_asset(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
    """Write the report of what is published."""
    from report import page

    settings = from_environment()
    if not settings.report:
        context.log.info("no report is wanted (ENGAGEMENT_REPORT)")
        return
    place = Warehouse(settings.warehouse)
    try:
        size = page.write(place.published, place.report)
    except Exception as error:
        # the night is published and must not count as failed
        context.log.error(f"no report of this night: {' '.join(str(error).split()) or type(error).__name__}")
        return
    context.log.info(f"{place.report} ({size / 1_000:,.0f} kB)")
    yield dg.MaterializeResult(
        metadata={"path": dg.MetadataValue.path(str(place.report)), "size_bytes": size}
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the report."""
    return dg.Definitions(assets=[report_asset])
