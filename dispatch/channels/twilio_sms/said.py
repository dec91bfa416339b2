"""What a short message answers to a call for help: one of a few words, or a number of minutes. PURE.

Whole messages are matched and never parts of them: "我去不了，她在流血" is no plain answer, and is left to a person.
Width, case, spaces and punctuation do not matter, but for a question mark: "没事了？" asks, and says nothing.
"""

import re
import unicodedata
from typing import Literal

import msgspec

MINUTES_MAX = 240
"""Whoever needs longer is not who comes; and a slip is no arrival tomorrow."""
TEXT_MAX = 40
"""Characters of a plain answer. Whoever writes more is read by a person."""

Kind = Literal["one", "yes", "going", "cannot", "desk", "there", "safe", "fine", "heard", "minutes", "number"]


class Said(msgspec.Struct, frozen=True):
    """`one`: the key 1, which means what was asked. `number`: bare; it may be minutes, or one of several. `fine`: that
    somebody is safe, or a polite word that says nothing of anybody."""

    kind: Kind
    minutes: int | None = None
    number: int | None = None


WORDS: dict[Kind, frozenset[str]] = {
    "one": frozenset({"1"}),
    "cannot": frozenset(
        {
            "2", "不去", "我不去", "不能去", "我不能去", "去不了", "我去不了", "来不了", "我来不了", "不能来",
            "不行", "没空", "我没空",
            "cant", "i cant", "cannot", "i cannot", "can not", "i can not", "cant come", "cant go", "i cant come",
            "i cant go", "no", "not coming", "im not coming",
        }
    ),
    "desk": frozenset(
        {
            "3", "回电", "请回电", "回电话", "请回电话", "给我回电", "打给我", "给我打电话", "call me",
            "please call me", "call me back", "desk"
        }
    ),
    "yes": frozenset({"好", "好的", "可以", "行", "能", "是", "yes", "ok", "okay", "sure"}),
    "going": frozenset(
        {
            "去", "我去", "我去吧", "我去了", "能去", "我能去", "可以去", "我可以去", "马上去", "我马上去",
            "这就去", "我这就去", "马上到",
            "我马上到", "马上来", "我来", "我来了", "来了", "在路上", "我在路上", "已出发", "出发了", "我出发了",
            "going", "i go",
            "im going", "i am going", "ill go", "i will go", "i can go", "coming", "im coming", "i am coming",
            "on my way",
            "im on my way",
        }
    ),
    "there": frozenset(
        {
            "到", "到了", "我到了", "已到", "我已到", "到达", "已到达", "我已到达", "到门口了", "there", "im there",
            "i am there", "arrived",
            "i arrived", "i have arrived", "ive arrived", "here", "im here", "i am here",
        }
    ),
    "safe": frozenset(
        {
            "安全", "安全了", "已安全", "人安全", "平安", "没事了", "人没事", "人没事了", "safe",
            "all safe", "she is safe",
            "he is safe", "they are safe", "shes safe", "hes safe", "all well", "all is well",
        }
    ),
    "fine": frozenset({"没事"}),
    "heard": frozenset(
        {
            "收到", "已收到", "知道了", "看到了", "明白", "明白了", "heard", "got it", "received", "understood",
            "noted"
        }
    ),
}  # fmt: skip

EMERGENCY = frozenset({110, 112, 119, 120, 122, 911, 995, 999})
"""Numbers that call for help themselves: whoever writes nothing else is read by a person, and at once."""

_KINDS = {word: kind for kind, words in WORDS.items() for word in words}
_ONES = {word: number for number, word in enumerate("零一二三四五六七八九")} | {"两": 2}
_HAN_NUMBER = re.compile(r"([一二三四五六七八九]?)十([一二三四五六七八九]?)|[一二两三四五六七八九]")
_LENGTH = re.compile(
    r"(?P<lead>.*?) ?(?:in |about |大约|大概|约|还要|要|需要)*"
    r"(?:(?P<digits>\d{1,3})|(?P<han>[一二两三四五六七八九十]{1,3})|(?P<half>半))"
    r" ?(?:(?P<hour>个?小时|hours?|hrs?|h)|(?P<minute>分钟|分|minutes?|mins?|m))?"
    r" ?(?:内|后|左右)*(?:到|能到|到达)?"
)


def understood(text: str) -> Said | None:
    """What a message says; None: no plain answer."""
    plain = _plain(text)
    if not plain or len(plain) > TEXT_MAX:
        return None
    kind = _KINDS.get(plain) or _KINDS.get(plain.replace(" ", ""))
    if kind != "desk" and "?" in unicodedata.normalize("NFKC", text):
        return None
    if kind is not None:
        return Said(kind, number=int(plain) if plain in ("1", "2", "3") else None)
    return _length(plain)


def _plain(text: str) -> str:
    """Narrow, small letters and figures with single spaces between."""
    narrow = unicodedata.normalize("NFKC", text).casefold()
    joined = re.sub(r"['’ʼ`]", "", narrow)
    return " ".join("".join(one if one.isalnum() else " " for one in joined).split())


def _length(plain: str) -> Said | None:
    """A number of minutes, with or without a word that says that somebody goes."""
    found = _LENGTH.fullmatch(plain)
    if found is None:
        return None
    lead = found["lead"].strip()
    goes = lead == "1" or _KINDS.get(lead) in ("going", "yes")
    if lead and not goes:
        return None
    minutes = _minutes(found)
    if minutes in EMERGENCY and not (found["hour"] or found["minute"]):
        return None  # also of somebody who goes: "我去，120" asks for an ambulance
    if minutes is None or not 0 < minutes <= MINUTES_MAX:
        return Said("going") if goes else None
    if goes:
        return Said("going", minutes)
    if found["hour"] or found["minute"]:
        return Said("minutes", minutes)
    # A bare number may be minutes; one in Chinese numerals is nothing plain.
    return None if found["digits"] is None else Said("number", minutes, minutes)


def _minutes(found: re.Match[str]) -> int | None:
    if found["half"]:
        return 30 if found["hour"] else None
    number = int(found["digits"]) if found["digits"] else _han(found["han"])
    return number * 60 if found["hour"] and number is not None else number


def _han(text: str) -> int | None:
    """十五 → 15; None: no number up to ninety-nine."""
    found = _HAN_NUMBER.fullmatch(text)
    if found is None:
        return None
    if "十" not in text:
        return _ONES[text]
    tens, ones = found.groups()
    return (_ONES[tens] if tens else 1) * 10 + (_ONES[ones] if ones else 0)
