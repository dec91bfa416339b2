"""Services that a notice may go to, by Apprise's names for them. The register takes no address of another. PURE."""

SECURE = frozenset({
    "wecombot", "dingtalk", "feishu", "lark", "schan", "pushplus", "wxpusher", "barks", "ntfys", "gotifys",
    "pushdeers", "mailtos", "jsons",
})  # fmt: skip
"""Spoken to over TLS."""
PLAIN = frozenset({"bark", "ntfy", "gotify", "pushdeer", "json"})
"""The same of one's own, without TLS: only on this machine, or on a host that the installation names."""
