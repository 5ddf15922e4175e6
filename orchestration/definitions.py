"""What Dagster loads: everything under `defs/`, with one resource and steps that share one process."""

from pathlib import Path

import dagster as dg

from orchestration.progress import night_logger
from orchestration.resources import NightResource
from orchestration.settings import collect_garbage_rarely, silence_telemetry


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions of the warehouse."""
    silence_telemetry()
    collect_garbage_rarely()
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
        dg.Definitions(
            resources={"night": NightResource()},
            executor=dg.in_process_executor,
            loggers={"console": dg.colored_console_logger, "night": night_logger},
        ),
    )
