"""What `pingan codec try` says, in Chinese and English: what became of a message, and what to do about it. PURE."""

from collections.abc import Mapping

from ingest.codecs import Reason, Remark

ADVICE: Mapping[Reason | Remark, tuple[str, str]] = {
    Reason.TOO_LARGE: ("把报文拆小；报文上限见 docs/protocol.md", "send less at once; docs/protocol.md has the limits"),
    Reason.NOT_UTF8: ("文字请用 UTF-8 编码", "encode texts in UTF-8"),
    Reason.NOT_JSON: (
        "请发 JSON：zigbee2mqtt 设 advanced.output 为 json，ChirpStack 的 MQTT 集成设为 JSON",
        "send JSON: zigbee2mqtt with advanced.output json, ChirpStack's MQTT integration with JSON",
    ),
    Reason.TOO_DEEP: ("减少嵌套层数", "nest less"),
    Reason.TOO_MANY: ("分成几条发送", "send them in several messages"),
    Reason.DUPLICATE_FIELD: ("同一个字段只写一次", "name each field once"),
    Reason.MISSING_FIELD: ("补上缺少的字段", "add the field that is missing"),
    Reason.WRONG_TYPE: ("按文档改正该字段的类型", "give the field the type that the page asks for"),
    Reason.OUT_OF_RANGE: ("检查该值及其单位", "check the value and its unit"),
    Reason.FORBIDDEN_CHARACTER: ("去掉文字里的 U+0000", "leave U+0000 out of texts"),
    Reason.UNKNOWN_TOPIC: (
        "检查主题：设备见 docs/protocol.md，网关见 docs/families.md",
        "check the topic: devices in docs/protocol.md, gateways in docs/families.md",
    ),
    Reason.UNKNOWN_FAMILY: (
        "主题应为 gw/网关/族/…；各族见 docs/families.md",
        "the topic is gw/{gateway}/{family}/…; docs/families.md has the families",
    ),
    Reason.RETAINED_ALARM: ("网关不要保留（retain）报警报文", "let the gateway retain no alarms"),
    Reason.FLOOD: ("降低网关的上报频率", "let the gateway report less often"),
    Remark.UNKNOWN_KIND: (
        "照收；如需起作用，请看 docs/protocol.md 的种类或 docs/families.md 的表",
        "taken; for it to have an effect see the kinds in docs/protocol.md or the tables in docs/families.md",
    ),
    Remark.FIELD_LEFT_OUT: ("其余已收；检查所列字段", "the rest is taken; check the fields named"),
    Remark.UNKNOWN_DEVICE: ("在登记册中登记该设备", "register the device"),
    Remark.ABSURD_CLOCK: (
        "校准该设备或网关的时钟；事件时间改用收到的时间",
        "set the clock of the device or of its gateway; the time of receipt is taken instead",
    ),
    Remark.DISABLED_DEVICE: ("该设备在登记册中已停用", "the register has it disabled"),
}

WORDS: Mapping[str, tuple[str, str]] = {
    "taken": ("{topic}：{readings} 条数据，{events} 个报警", "{topic}: {readings} readings, {events} alarms"),
    "nothing": ("{topic}：收下，其中没有要用的内容", "{topic}: taken, and there is nothing in it for us"),
    "refused": ("{topic}：不收，{reason}：{detail}", "{topic}: refused, {reason}: {detail}"),
    "remarked": ("  注意 {reason}：{detail}", "  remark {reason}: {detail}"),
    "to_do": ("  办法：{advice}", "  what to do: {advice}"),
    "unnamed": (
        "  另有 {count} 个未说明种类的报警：只有登记为以下种类的设备才算：{kinds}（用 --as 试）",
        "  and {count} alarms that do not say of what: they ring if the device is registered as {kinds} (try --as)",
    ),
    "no_message": (
        "第 {line} 行不是报文：应为“主题 内容”或 JSON",
        "line {line} is no message: “topic payload” or JSON",
    ),
    "no_file": ("无法读取 {file}：{error}", "{file} cannot be read: {error}"),
}


def say(key: str, language: str, **values: object) -> str:
    return WORDS[key][0 if language == "zh" else 1].format(**values)


def advise(reason: Reason | Remark, language: str) -> str:
    return ADVICE[reason][0 if language == "zh" else 1]
