"""The certificate of a deletion as a page to print: Chinese and English, one after the other."""

from collections.abc import Mapping
from html import escape
from typing import Any

from care.person_words import WORDS, say

STYLE = (
    "@page{size:A4;margin:18mm}body{font:12pt/1.5 'Noto Sans CJK SC','Microsoft YaHei',sans-serif;max-width:46rem;"
    "margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}"
    "th,td{border:1px solid #888;padding:4px 8px;text-align:left;vertical-align:top}td.n{text-align:right}"
    "article+article{break-before:page;margin-top:3rem}"
)


def page(certificate: Mapping[str, Any]) -> str:
    articles = "".join(_article(certificate, language) for language in ("zh", "en"))
    title = escape(say("title", "zh"))
    return (
        f'<!doctype html><html lang="zh-Hans"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body>{articles}</body></html>\n"
    )


def _article(one: Mapping[str, Any], language: str) -> str:
    def t(key: str) -> str:
        return escape(say(key, language))

    facts = [
        ("number", one["certificate"]), ("person", one["person"]), ("at", one["at"]), ("by", one["by"]),
        ("reason", say(f"reason_{one['reason']}", language)),
        ("household", say("shared_home" if one["shared_home"] else "whole_home", language)),
    ]  # fmt: skip
    rows = "".join(f"<tr><th>{t(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in facts)
    counts = "".join(
        f'<tr><th>{t(f"n_{name}") if f"n_{name}" in WORDS else escape(name)}</th><td class="n">{count}</td></tr>'
        for name, count in one["deleted"].items()
    )
    kept = "".join(f"<li>{t(f'k_{name}')}</li>" for name in one["kept"])
    later = "".join(f"<li>{t(f'l_{name}')}</li>" for name in one["later"])
    elsewhere = "".join(f"<li>{escape(str(row['what']))} {escape(str(row['id']))}</li>" for row in one["elsewhere"])
    found = f"<h2>{t('found_elsewhere')}</h2><ul>{elsewhere}</ul>" if elsewhere else ""
    return (
        f'<article lang="{"zh-Hans" if language == "zh" else "en"}"><h1>{t("title")}</h1><table>{rows}</table>'
        f"<h2>{t('deleted')}</h2><table><tr><th>{t('what')}</th><th>{t('how_many')}</th></tr>{counts}</table>"
        f"<h2>{t('kept')}</h2><ul>{kept}</ul><h2>{t('later')}</h2><ul>{later}</ul>{found}<p>{t('digest')}</p></article>"
    )
