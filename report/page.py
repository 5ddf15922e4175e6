"""The page: asks the published file for every section and writes one HTML file, whole or not at all.

The page takes nothing from a network and runs no script; its policy forbids a browser both. What comes from
the data is escaped by the template. What does NOT belong here: what a section says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import jinja2
from markupsafe import Markup

from report.content import Section
from report.sections import SECTIONS, ask
from warehouse.files import replacing

_TEMPLATES = Path(__file__).with_name("templates")
_MODE = 0o640
# A table or column is not there: another version of the project, or not the project's file.
_ABSENT = (duckdb.CatalogException, duckdb.BinderException)


class ReportError(RuntimeError):
    """There is no report; the message is one sentence for the person who asked for it."""


@dataclass(frozen=True)
class Chapter:
    """A section with its heading and its name on the page."""

    key: str
    title: str
    section: Section


def write(published: Path, out: Path) -> int:
    """Write the report of a published file; return its size in bytes.

    Args:
        published: The published file; opened read-only.
        out: Where the page goes; what stands there is replaced whole.

    Raises:
        ReportError: Nothing is published, the file cannot be read, or the page cannot be written.
    """
    page = render(published).encode()
    try:
        with replacing(out, _MODE) as temporary:
            temporary.write_bytes(page)
    except OSError as error:
        raise ReportError(f"The report {out} cannot be written: {error.strerror or error}.") from error
    return len(page)


def render(published: Path) -> str:
    """Return the page of a published file.

    Raises:
        ReportError: Nothing is published, or the file cannot be read.
    """
    if not published.is_file():
        raise ReportError(f"Nothing is published in {published.parent}; run a night first.")
    try:
        # one connection throughout: a night that is published meanwhile does not mix with this one
        with duckdb.connect(str(published), read_only=True) as connection:
            night = ask.published(connection)
            chapters = [
                Chapter(key, title, _section(connection, key)) for key, (title, _) in SECTIONS.items()
            ]
    except LookupError as error:
        raise ReportError(f"{published}: {error.args[0]}") from error
    except duckdb.Error as error:
        what = str(error).splitlines()[0]
        raise ReportError(f"The published file {published} cannot be read: {what}") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    # the project's own style sheet, not data
    style = Markup((_TEMPLATES / "page.css").read_text(encoding="utf-8"))  # noqa: S704
    return environment.get_template("page.html.j2").render(night=night, chapters=chapters, style=style)


def _section(connection: duckdb.DuckDBPyConnection, key: str) -> Section:
    try:
        return SECTIONS[key][1](connection)
    except _ABSENT as error:
        what = str(error).splitlines()[0]
        return Section(notes=(f"This published file has nothing to show here. {what}",))
