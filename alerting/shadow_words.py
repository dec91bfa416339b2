"""What is said of versions and of their comparison, in Chinese and English. PURE."""

from collections.abc import Mapping
from typing import Any

WORDS: Mapping[str, tuple[str, str]] = {
    # Why an act is not done.
    "no_detector": (
        "没有名为 {detector} 的检测器；现有：{known}",
        "there is no detector {detector}; there are: {known}",
    ),
    "no_label": (
        "检测器 {detector} 没有版本 {label}；现有：{known}",
        "{detector} has no version {label}; it has: {known}",
    ),
    "no_reason": ("请写明理由", "say why"),
    "no_area": ("没有区划 {area}", "there is no area {area}"),
    "not_your_area": ("只能为区划 {area} 内的住户决定", "you may decide for homes within {area} only"),
    "no_supervisor": (
        "没有名为 {name} 的主管或管理员账户",
        "no supervisor's or administrator's account has the name {name}",
    ),
    "two_supervisors": (
        "有几个主管都叫 {name}；请写账户名",
        "several supervisors are called {name}: name the account",
    ),
    "wrong_days": ("天数应为 1 至 {most}", "days: 1 to {most}"),
    "no_database": ("数据库没有应答：{error}", "the database does not answer: {error}"),
    # What was done.
    "done_live": (
        "第 {id} 号记录：{detector}/{label} 在 {homes} 户正式报警；被替换的版本再响一天",
        "act {id}: {detector}/{label} rings in {homes} homes; the version that it replaces rings on for a day",
    ),
    "done_shadow": (
        "第 {id} 号记录：{detector}/{label} 在 {homes} 户旁路运行，不惊动任何人",
        "act {id}: {detector}/{label} runs in shadow in {homes} homes, and rings nobody",
    ),
    "done_off": (
        "第 {id} 号记录：{detector}/{label} 在 {homes} 户停止运行；没有启用任何版本的住户，由第一个版本报警",
        "act {id}: {detector}/{label} no longer runs in {homes} homes; where none was let ring, the first one rings",
    ),
    "none_rings": (
        "注意：{homes} 户没有任何版本的 {detector} 报警",
        "mind: in {homes} homes no version of {detector} rings",
    ),
    "begins_anew": (
        "注意：它在这里没有旁路运行过；凡是没有还在报警的住户，从头开始学习",
        "mind: it has not run in shadow, and begins anew wherever it does not ring on from before",
    ),
    # The list.
    "version": (
        "{detector}/{label}：{live} 户正式报警，{shadow} 户旁路运行",
        "{detector}/{label}: rings in {live} homes, in shadow in {shadow}",
    ),
    "act": (
        "{at}  第 {id} 号  {detector}/{label}  {state}  {scope}  {by}：{reason}",
        "{at}  act {id}  {detector}/{label}  {state}  {scope}  {by}: {reason}",
    ),
    "live": ("正式报警", "rings"),
    "shadow": ("旁路运行", "in shadow"),
    "off": ("停止", "off"),
    "everywhere": ("全部区域", "everywhere"),
    # The report.
    "head": (
        "{detector}/{label} 旁路运行，{first} 至 {until}：{homes} 户 {people} 人，{weeks} 人·周，"
        "已证实的事件 {events} 起",
        "{detector}/{label} in shadow, {first} to {until}: {homes} homes, {people} people, {weeks} person-weeks,"
        " {events} real events",
    ),
    "column_live": ("正式", "live"),
    "column_shadow": ("旁路", "shadow"),
    "row_rang": ("报警", "rang"),
    "row_false": ("其中误报", "of them false"),
    "row_undecided": ("其中未定", "of them undecided"),
    "row_withdrawn": ("撤回", "withdrawn"),
    "row_asked": ("询问本人", "residents asked"),
    "row_false_per_person_week": ("误报／人·周", "false / person-week"),
    "row_asked_per_person_week": ("询问／人·周", "asked / person-week"),
    "row_sensitivity": ("发现的真实事件", "real events found"),
    "row_minutes_to_detect": ("发现用时（分，p50／p90）", "minutes to detect (p50 / p90)"),
    "both": (
        "两者都发现的 {n} 起：旁路早 {minutes} 分钟（中位数；负数为晚）",
        "of {n} that both found, the shadow was {minutes} minutes sooner (median; negative: later)",
    ),
    "interval": ("{value}（{low}–{high}）", "{value} ({low}–{high})"),
    "none": ("—", "—"),
    "intervals": ("括号内为精确的 95 % 区间", "in brackets: exact 95 % intervals"),
    "cannot_know": ("无从得知：", "What this cannot know:"),
    "never_ran": (
        "这段时间里它没有在任何有人看护的住户中旁路运行过。",
        "It has not run in shadow in any watched home in this time.",
    ),
    "few_events": (
        "真实事件只有 {n} 起：灵敏度几乎说明不了什么。",
        "There were {n} real events only: the sensitivity says next to nothing.",
    ),
    "unnoticed": (
        "没有人注意到的事件不在其中：灵敏度只就坐席得知的事件而言。",
        "What nobody noticed is not in it: sensitivity is of the events that reached the desk.",
    ),
    "known_by_live": (
        "{of} 起事件中有 {n} 起是正式版本报警才得知的：这对它有利。",
        "Of {of} events {n} are known because the live version rang: that favours it.",
    ),
    "nobody_looked": (
        "旁路版本有 {n} 次报警没有人去看：算作误报，其中可能有真的。",
        "Nobody looked at {n} alarms of the shadow: they count as false, and some may have been real.",
    ),
    "undecided": (
        "有 {n} 次报警的事件未结案，或结案结果说不清真假：既不算真也不算误报。",
        "{n} alarms belong to incidents that are open or were closed by a word that tells neither: they count as"
        " neither.",
    ),
    "nobody_asked": (
        "旁路版本不询问本人：本人会回答“我没事”的，它也算作报警，误报因此偏多。",
        "A shadow asks no resident: what somebody would have answered counts as rung, so its false alarms are"
        " overstated.",
    ),
    # The page.
    "title": ("检测器版本", "Detectors"),
    "lead": (
        "每个检测器有一个版本正式报警；别的可以先旁路运行：读同样的数据，不惊动任何人，只作比较。谁让哪个版本报警、为什么，都有记录。",
        "Of each detector one version rings. Others can run in shadow first: on the same readings, ringing nobody, to"
        " be compared. Who let which version ring, and why, is recorded.",
    ),
    "column_version": ("版本", "Version"),
    "column_homes_live": ("正式报警（户）", "Rings (homes)"),
    "column_homes_shadow": ("旁路运行（户）", "In shadow (homes)"),
    "compare": ("比较与决定", "Compare and decide"),
    "acts": ("决定记录", "What was decided"),
    "no_acts": (
        "还没有人作过决定：每个检测器都用第一个版本。",
        "Nobody has decided anything: of each the first version rings.",
    ),
    "column_at": ("时间", "When"),
    "column_state": ("决定", "Decision"),
    "column_scope": ("区域", "Where"),
    "column_by": ("决定人", "Who"),
    "column_reason": ("理由", "Why"),
    "decide": ("决定", "Decide"),
    "field_area": ("区划代码（空：全部区域）", "Area code (empty: everywhere)"),
    "field_reason": ("理由", "Why"),
    "button_live": ("启用：正式报警", "Promote: let it ring"),
    "button_shadow": ("旁路运行", "Run in shadow"),
    "button_off": ("停止", "Stop"),
    "mind": (
        "启用后，被替换的版本再响一天，正在计时的静默不会丢；要让一个版本立刻安静，请改为旁路运行。",
        "Once promoted, the version that it replaces rings on for a day, so that no silence under way is lost. To quiet"
        " a version at once, put it into shadow.",
    ),
    "back": ("返回全部版本", "All versions"),
}


def say(key: str, language: str, **values: Any) -> str:
    """A sentence of ours in `zh` or `en`."""
    return WORDS[key][0 if language == "zh" else 1].format(**values)
