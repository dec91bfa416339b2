"""Telephone numbers as they are read aloud: in groups, without the country's own code. PURE."""

import re


def read_aloud(number: str | None) -> str:
    """138 0000 0149 for +8613800000149, +4420 7946 0018 for a number abroad; whatever else as it is."""
    if not number:
        return ""
    if mobile := re.fullmatch(r"\+86(1\d{2})(\d{4})(\d{4})", number):
        return " ".join(mobile.groups())
    # Area codes of China have two digits (10, 20 … 29) or three.
    if fixed := re.fullmatch(r"\+86(10|2\d|[3-9]\d{2})(\d{3,4})(\d{4})", number):
        return "0" + " ".join(fixed.groups())
    if near := re.fullmatch(r"(\+85[23]|\+886)(\d{4})(\d{4,5})", number):
        return " ".join(near.groups())
    # How long another country's code is we do not know.
    return "+" + " ".join(re.findall(r"\d{1,4}", number)) if re.fullmatch(r"\+\d{8,15}", number) else number
