"""Reads a page's tables and headline numbers as text, without a browser.

What does NOT belong here: what they should say.
"""

from html.parser import HTMLParser


class Page(HTMLParser):
    """A page as read.

    Attributes:
        tables: Caption -> rows of texts, the headings first.
        cards: Label -> value and note.
        text: All text of the page, white space as one blank.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.cards: dict[str, tuple[str, ...]] = {}
        self._texts: list[str] = []
        self._rows: list[list[str]] = []
        self._cell: list[str] | None = None
        self._label = ""
        self.feed(html)
        self.text = " ".join(" ".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("th", "td", "caption", "dt", "dd"):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._cell or []).split())
        if tag == "caption":
            self.tables[text] = self._rows
        elif tag in ("th", "td"):
            self._rows[-1].append(text)
        elif tag == "dt":
            self._label = text
        elif tag == "dd":
            self.cards[self._label] = (*self.cards.get(self._label, ()), text)

    def handle_data(self, data: str) -> None:
        self._texts.append(data)
        if self._cell is not None:
            self._cell.append(data)

    def records(self, caption: str) -> dict[str, dict[str, str]]:
        """Return the rows of a table by their first cell, each as heading -> text."""
        headings, *rows = self.tables[caption]
        return {row[0]: dict(zip(headings[1:], row[1:], strict=True)) for row in rows}
