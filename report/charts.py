"""Charts as SVG: Vega-Lite specifications, drawn on this side by vl-convert, without a browser or a network.

Colours are names of the page's style sheet (`var(--accent)`), so that one drawing serves light and dark. All
charts are as wide as a phone's column, and stand side by side where there is room: their letters are then of
one size everywhere. What does NOT belong here: where the numbers come from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert
from markupsafe import Markup

WIDTH = 360
_VEGA_LITE = "6.1"

_INK = "var(--ink)"
_MUTED = "var(--muted)"
_RULE = "var(--rule)"
_ACCENT = "var(--accent)"
# In this order, from the ground up.
_SERIES = ("var(--accent)", "var(--accent-soft)", "var(--second)")
_ROW = 26
_LABEL_WIDTH = 150
_TEXT_SIZE = 12
_MONTH_LABELS = 5

_CONFIG: Mapping[str, Any] = {
    "aria": False,
    # the page's own letters take their place; these are what room is measured with
    "font": "Liberation Sans",
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "grid": False,
        "labelColor": _MUTED,
        "labelFontSize": _TEXT_SIZE,
        "labelPadding": 6,
        "titleColor": _MUTED,
        "titleFontSize": _TEXT_SIZE,
        "titleFontWeight": "normal",
    },
    "axisY": {"gridColor": _RULE},
    "legend": {
        "orient": "top",
        "title": None,
        "labelColor": _INK,
        "labelFontSize": _TEXT_SIZE,
        "symbolType": "square",
        "symbolStrokeWidth": 0,
        "columnPadding": 14,
        "offset": 6,
    },
    "text": {"color": _INK, "fontSize": _TEXT_SIZE},
}
_OPENING = re.compile(r"^<svg[^>]*?viewBox=\"([^\"]+)\"[^>]*>")


@dataclass(frozen=True)
class Bar:
    """A value with a name; a value of None is not shown, and `text` says why."""

    label: str
    value: float | None
    text: str


@dataclass(frozen=True)
class Interval:
    """An estimate with its bounds and a name."""

    label: str
    lower: float
    value: float
    upper: float


@dataclass(frozen=True)
class Point:
    """A value of a curve with its bounds; without bounds there is no band."""

    at: float
    value: float
    lower: float | None = None
    upper: float | None = None


def bars(key: str, title: str, description: str, rows: Sequence[Bar]) -> Markup:
    """Draw lying bars, one a row from top to bottom, each with its number behind it."""
    values = _bar_values(rows)
    labels = [bar.label for bar in rows]
    top = max((bar.value or 0.0 for bar in rows), default=0.0)
    y = {
        "field": "label",
        "type": "nominal",
        "sort": labels,
        "axis": {"title": None, "labelColor": _INK, "labelLimit": _LABEL_WIDTH},
    }
    # the longest bar leaves room for its number
    x = {
        "field": "value",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [min(0.0, *(bar.value or 0.0 for bar in rows)), (top or 1.0) * 1.35]},
    }
    return _draw(
        key,
        title,
        description,
        _ROW * len(rows),
        values,
        [
            {
                "mark": {"type": "bar", "color": _ACCENT, "height": {"band": 0.62}},
                "encoding": {"y": y, "x": x},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 6},
                "encoding": {"y": y, "x": x, "text": {"field": "text"}},
            },
        ],
    )


def columns(key: str, title: str, description: str, rows: Sequence[Bar], axis_title: str = "") -> Markup:
    """Draw standing bars of ordered classes, each with its number above it."""
    labels = [bar.label for bar in rows]
    top = max((bar.value or 0.0 for bar in rows), default=0.0)
    x = {
        "field": "label",
        "type": "ordinal",
        "sort": labels,
        "axis": {"title": axis_title or None, "labelAngle": 0, "labelFontSize": 11, "labelOverlap": False},
        "scale": {"paddingInner": 0.12, "paddingOuter": 0.05},
    }
    y = {
        "field": "value",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [0, (top or 1.0) * 1.12]},
    }
    return _draw(
        key,
        title,
        description,
        190,
        _bar_values(rows),
        [
            {"mark": {"type": "bar", "color": _ACCENT}, "encoding": {"x": x, "y": y}},
            {
                "mark": {"type": "text", "baseline": "bottom", "dy": -4, "fontSize": 11},
                "encoding": {"x": x, "y": y, "text": {"field": "text"}},
            },
        ],
    )


def months(
    key: str,
    title: str,
    description: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    number_format: str = "~s",
) -> Markup:
    """Draw a standing bar a month; several series stand on one another, the first on the ground.

    Args:
        key: Name on the page.
        title: What is shown.
        description: The same for who does not see it.
        labels: One a month, in their order.
        series: Name to values, one a month; None where nothing is to be shown.
        number_format: d3's format of the scale's numbers.
    """
    values = [
        {"label": label, "value": value, "series": name, "order": position}
        for position, (name, numbers) in enumerate(series.items())
        for label, value in zip(labels, numbers, strict=True)
    ]
    colour = {
        "field": "series",
        "type": "nominal",
        "scale": {"domain": list(series), "range": list(_SERIES[: len(series)])},
        "legend": {} if len(series) > 1 else None,
    }
    mark = {
        "mark": {"type": "bar"},
        "encoding": {
            "x": _months_axis(labels),
            "y": _scale_axis(number_format),
            "color": colour,
            "order": {"field": "order", "type": "quantitative"},
        },
    }
    return _draw(key, title, description, 210, values, [mark])


def line(
    key: str, title: str, description: str, labels: Sequence[str], numbers: Sequence[float | None]
) -> Markup:
    """Draw a share from month to month, the last one with its number."""
    values = [
        {"label": label, "value": value, "text": "" if value is None else f"{100 * value:.0f} %"}
        for label, value in zip(labels, numbers, strict=True)
    ]
    x = _months_axis(labels)
    y = _scale_axis(".0%", domain=[0, 1])
    last = next((row for row in reversed(values) if row["value"] is not None), None)
    marks: list[dict[str, Any]] = [
        {"mark": {"type": "line", "color": _ACCENT, "strokeWidth": 2.5}, "encoding": {"x": x, "y": y}},
        {
            "mark": {"type": "point", "filled": True, "color": _ACCENT, "size": 26, "opacity": 1},
            "encoding": {"x": x, "y": y},
        },
    ]
    if last is not None:
        marks.append(
            {
                "data": {"values": [last]},
                "mark": {"type": "text", "align": "right", "dy": -12, "dx": 6, "fontWeight": "bold"},
                "encoding": {"x": x, "y": y, "text": {"field": "text"}},
            }
        )
    return _draw(key, title, description, 210, values, marks)


def curve(key: str, title: str, description: str, points: Sequence[Point], axis_title: str) -> Markup:
    """Draw a share that falls in steps, with a band where there are bounds."""
    values = [
        {"at": point.at, "value": point.value, "lower": point.lower, "upper": point.upper} for point in points
    ]
    x = {
        "field": "at",
        "type": "quantitative",
        "axis": {"title": axis_title, "tickCount": 5},
        "scale": {"nice": False, "domain": [0, max((point.at for point in points), default=1)]},
    }
    y = _scale_axis(".0%", domain=[0, 1])
    band = {
        "transform": [{"filter": "datum.lower !== null"}],
        "mark": {"type": "area", "interpolate": "step-after", "color": _ACCENT, "opacity": 0.18},
        "encoding": {"x": x, "y": {**y, "field": "lower"}, "y2": {"field": "upper"}},
    }
    steps = {
        "mark": {"type": "line", "interpolate": "step-after", "color": _ACCENT, "strokeWidth": 2.5},
        "encoding": {"x": x, "y": y},
    }
    return _draw(key, title, description, 240, values, [band, steps])


def intervals(key: str, title: str, description: str, rows: Sequence[Interval], edge: float) -> Markup:
    """Draw estimates with their intervals against a line at zero, one a row from top to bottom.

    Args:
        key: Name on the page.
        title: What is shown.
        description: The same for who does not see it.
        rows: The estimates.
        edge: Where the scale ends on both sides of zero.
    """
    values = [
        {
            "label": row.label,
            "value": row.value,
            "lower": row.lower,
            "upper": row.upper,
            # a colour says no more than the side of zero on which the whole interval lies
            "tone": _ACCENT if row.lower > 0 else "var(--second)" if row.upper < 0 else _MUTED,
        }
        for row in rows
    ]
    y = {
        "field": "label",
        "type": "nominal",
        "sort": [row.label for row in rows],
        "axis": {"title": None, "labelColor": _INK, "labelLimit": _LABEL_WIDTH + 20},
    }
    x = {
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": [-edge, edge], "nice": False, "clamp": True},
        "axis": {
            "title": None,
            "values": [-edge, -edge / 2, 0, edge / 2, edge],
            "format": "~r",
            "labelFlush": False,
            "grid": True,
            "gridColor": _RULE,
        },
    }
    tone = {"field": "tone", "type": "nominal", "scale": None}
    return _draw(
        key,
        title,
        description,
        _ROW * len(rows),
        values,
        [
            {
                "data": {"values": [{"zero": 0}]},
                "mark": {"type": "rule", "color": _MUTED, "strokeWidth": 1},
                "encoding": {"x": {"field": "zero", "type": "quantitative"}},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"y": y, "x": {**x, "field": "lower"}, "x2": {"field": "upper"}, "color": tone},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
                "encoding": {"y": y, "x": x, "color": tone},
            },
        ],
    )


def _bar_values(rows: Sequence[Bar]) -> list[dict[str, Any]]:
    # what is not shown is a bar of no length, with its reason
    return [{"label": bar.label, "value": bar.value or 0.0, "text": bar.text} for bar in rows]


def _months_axis(labels: Sequence[str]) -> dict[str, Any]:
    """Return a scale of months that names a few of them, always the last one."""
    step = max(1, -(-len(labels) // _MONTH_LABELS))
    named = [label for position, label in enumerate(reversed(labels)) if position % step == 0]
    return {
        "field": "label",
        "type": "ordinal",
        "sort": list(labels),
        "axis": {"title": None, "labelAngle": 0, "values": named, "labelFontSize": 11},
        "scale": {"paddingInner": 0.2, "paddingOuter": 0.1},
    }


def _scale_axis(number_format: str, domain: Sequence[float] | None = None) -> dict[str, Any]:
    scale = {"domain": list(domain), "nice": False} if domain else {"zero": True}
    return {
        "field": "value",
        "type": "quantitative",
        "axis": {"title": None, "tickCount": 4, "format": number_format, "grid": True},
        "scale": scale,
    }


def _draw(
    key: str,
    title: str,
    description: str,
    height: int,
    values: Sequence[Mapping[str, Any]],
    layers: Sequence[Mapping[str, Any]],
) -> Markup:
    specification = {
        "width": WIDTH,
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": {"left": 0, "right": 2, "top": 2, "bottom": 2},
        "data": {"values": list(values)},
        "layer": list(layers),
        "config": dict(_CONFIG),
    }
    drawn = vl_convert.vegalite_to_svg(specification, vl_version=_VEGA_LITE)
    opening = _OPENING.match(drawn)
    if opening is None:
        raise ValueError(f"The drawing of {key} does not begin like an SVG.")
    # Several drawings share one page: their own names must not meet.
    body = re.sub(r'(id="|url\(#)', rf"\1{key}-", drawn[opening.end() :])
    return Markup(
        '<svg class="chart" viewBox="{box}" role="img" aria-labelledby="{key}-title {key}-text">'
        '<title id="{key}-title">{title}</title><desc id="{key}-text">{description}</desc>'
    ).format(box=opening[1], key=key, title=title, description=description) + Markup(body)  # noqa: S704
