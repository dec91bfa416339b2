"""The hand-over packet as a PDF of one page.

No font is shipped: the Chinese one is named (STSong-Light, one of those that readers of PDF bring for Chinese), and
drawn by whatever shows or prints it.
"""

import io
from collections.abc import Mapping
from html import escape
from typing import Any

from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import KeepInFrame, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from .telephone import read_aloud

FONT = "STSong-Light"
MARGIN = 14 * mm
CODE = 26 * mm
STORY = 24
"""Lines of what happened. With more of them nobody could read the medication any more."""
LINE = HexColor("#b9c0c3")
ALARM = HexColor("#b80d22")
MUTED = HexColor("#4d565b")

pdfmetrics.registerFont(UnicodeCIDFont(FONT))

PLAIN = ParagraphStyle("plain", fontName=FONT, fontSize=10, leading=13.5, wordWrap="CJK")
SMALL = ParagraphStyle("small", parent=PLAIN, fontSize=8.5, leading=11.5, textColor=MUTED)
TITLE = ParagraphStyle("title", parent=PLAIN, fontSize=17, leading=22)
HEAD = ParagraphStyle("head", parent=PLAIN, fontSize=10, textColor=MUTED, spaceBefore=6)
HEADING = TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, 0), 0)])
NEWS = ParagraphStyle("news", parent=PLAIN, fontSize=11, leading=15, textColor=ALARM)


def draw(told: Mapping[str, Any], link: str) -> bytes:
    """The page. What is too much for it is drawn smaller, not on a second one that gets lost."""
    out = io.BytesIO()
    width, height = A4[0] - 2 * MARGIN, A4[1] - 2 * MARGIN
    page = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN,
        title=told["words"]["title"], author="平安通 Ping An Tong",
    )  # fmt: skip
    # Twelve points are the frame's own padding.
    page.build([KeepInFrame(width - 12, height - 12, _page(told, link, width - 12), mode="shrink")])
    return out.getvalue()


def _page(told: Mapping[str, Any], link: str, width: float) -> list[Any]:
    words = told["words"]
    heading = [
        _text(f"{words['title']} · {words['for_medical']}", SMALL),
        _text(told["title"], TITLE),
        _text(f"{told['incident']} · {told['version']}", PLAIN),
    ]
    found: list[Any] = [
        Table([[heading, _code(link)]], [width - CODE, CODE], style=HEADING, hAlign="LEFT"),
        _text(words["scan"], SMALL),
    ]
    if told["news"]:
        found += [Spacer(1, 4), _text(told["news"], NEWS)]
    if told["changes"]:
        found += [_text(words["changed"], HEAD), _rows(told["changes"], width)]
    found += _persons(told)
    found += [
        _text(words["where"], HEAD),
        _text(" · ".join(filter(None, (told["address"], read_aloud(told["phone"])))) or words["not_known"]),
        _text(words["way_in"], HEAD),
        _text(f"{told['way_in']} ({told['proven']})" if told["way_in"] else words["not_known"]),
        _text(words["who_goes"], HEAD),
        *([_text(f"{name}: {where}") for name, where in told["going"]] or [_text(words["nobody_goes"])]),
        _text(words["contacts"], HEAD),
        _text("; ".join(f"{one['name']} ({one['relation']}) {read_aloud(one['phone'])}" for one in told["contacts"])
              or words["not_known"]),
        _text(words["readings"], HEAD),
        _text("; ".join(f"{kind} {value} ({at})" for kind, value, at in told["readings"]) or words["no_readings"]),
        _text(words["happened"], HEAD),
        _rows(_short(told["story"]), width),
    ]  # fmt: skip
    return found


def _persons(told: Mapping[str, Any]) -> list[Any]:
    words = told["words"]
    found: list[Any] = []
    for one in told["persons"]:
        found += [
            _text(one["name"], HEAD),
            _text(" · ".join(filter(None, (one["about"], read_aloud(one["phone"]))))),
            *[_text(told["pair"](name, value or words["not_known"])) for name, value in one["facts"]],
        ]
    return [*found, _text(words["withheld"], NEWS)] if told["withheld"] else found


def _short(story: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """How it began, and what was last: the page itself, by its code, has all of it."""
    return story if len(story) <= STORY else [story[0], ("…", "…"), *story[-STORY:]]


def _rows(rows: list[tuple[str, str]], width: float) -> Any:
    if not rows:
        return Spacer(1, 1)
    style = TableStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEABOVE", (0, 0), (-1, -1), 0.4, LINE),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
        ]
    )
    return Table(
        [[_text(at), _text(words)] for at, words in rows], [24 * mm, width - 24 * mm], style=style, hAlign="LEFT"
    )


def _text(text: str, style: ParagraphStyle = PLAIN) -> Paragraph:
    return Paragraph(escape(text), style)


def _code(link: str) -> Drawing:
    code = QrCodeWidget(link, barLevel="M")
    left, low, right, high = code.getBounds()
    drawing = Drawing(CODE, CODE, transform=[CODE / (right - left), 0, 0, CODE / (high - low), 0, 0])
    drawing.add(code)
    return drawing
