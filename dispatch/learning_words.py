"""What `pingan suggestions` says, in Chinese and in English."""

WORDS: dict[str, dict[str, str]] = {
    "about": {
        "en": "What closures suggest, and how often alarms were false. A named person decides, at the desk.",
        "zh": "从结案中得到的建议和误报次数。采纳与否由值班主管在接警台上决定。",
    },
    "json": {"en": "for programs: one JSON object", "zh": "供程序读取：一个 JSON 对象"},
    "none": {"en": "Nothing is suggested at present.", "zh": "目前没有建议。"},
    "hold_seconds": {
        "en": "{device} ({home}): {false} of {of} calls that were judged in {days} days were accidental. "
        "How long it must be held: {was:g} → {proposed:g} s?",
        "zh": "{device}（{home}）：{days} 天内 {of} 次有结论的呼叫中 {false} 次是误按。"
        "按住时间 {was:g} → {proposed:g} 秒？",
    },
    "inactivity_floor_hours": {
        "en": "{home}: in {false} of {of} silences that rang in {days} days the person was well. "
        "Least silence before it rings: {was:g} → {proposed:g} h?",
        "zh": "{home}：{days} 天内 {of} 次无活动告警中 {false} 次本人都平安。"
        "最短无活动时间 {was:g} → {proposed:g} 小时？",
    },
    "incidents": {"en": "    incidents {incidents}", "zh": "    呼叫 {incidents}"},
    "decided": {"en": "Decided:", "zh": "已作的决定："},
    "decision": {
        "en": "    {at:%Y-%m-%d} {by}: {decision} {rule} of {what}, {was:g} → {proposed:g}",
        "zh": "    {at:%Y-%m-%d} {by}：{decision} {what} 的 {rule}，{was:g} → {proposed:g}",
    },
    "accepted": {"en": "accepted", "zh": "采纳"},
    "declined": {"en": "declined", "zh": "不采纳"},
    "figures": {
        "en": "False alarms of the last {days} days, per person-week (95 % interval):",
        "zh": "最近 {days} 天的误报，每人每周（95% 区间）：",
    },
    "figure": {
        "en": "    {what} {kind}: {false} of {alarms}; {rate:.2f} ({low:.2f}–{high:.2f})",
        "zh": "    {what} {kind}：{alarms} 次中 {false} 次；{rate:.2f}（{low:.2f}–{high:.2f}）",
    },
    "no_database": {"en": "the database does not answer: {error}", "zh": "数据库没有应答：{error}"},
}
