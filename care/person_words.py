"""What the commands about a person's data, and the certificate, say in Chinese and English. PURE."""

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "exported": ("已导出到 {path}：{files} 个文件，{rows} 行", "exported to {path}: {files} files, {rows} rows"),
    "would_erase": (
        "将删除 {person} 的个人数据（涉及 {incidents} 个事件）。{household}",
        "the data of {person} would be deleted ({incidents} incidents speak of it). {household}",
    ),
    "whole_home": (
        "同住没有别人：家庭、联系人、设备数据一并清空。",
        "Nobody else lives there: the home, its contacts and its devices' data go too.",
    ),
    "shared_home": (
        "同住还有别人：只删除本人的内容。",
        "Others live there: only what is the person's alone goes.",
    ),
    "blocked": (
        "现在不能删除：{what} 尚未了结。",
        "It cannot be done now: {what} is still open.",
    ),
    "add_yes": ("什么也没有删除。确认请加 --yes。", "Nothing was deleted. To do it, add --yes."),
    "erased": (
        "已删除。证明第 {number} 号在 {path}",
        "deleted; certificate {number} is in {path}",
    ),
    "elsewhere": (
        "同一号码还登记在：{places}。这些是别家的需要，没有删除；请另行询问。",
        "The same number stands at: {places}. Those are others' needs and were left: ask about them.",
    ),
    "went_on": ("先完成了 {count} 次未完成的删除", "{count} earlier deletions that had not ended were finished first"),
    # The certificate.
    "title": ("个人数据删除证明", "Certificate of deletion of personal data"),
    "number": ("证明编号", "Certificate"),
    "person": ("人员编号", "Person"),
    "at": ("时间", "Time"),
    "by": ("经办人", "By"),
    "reason": ("原因", "Reason"),
    "reason_request": ("本人要求", "at the person's request"),
    "reason_withdrawn": ("撤回同意", "consent withdrawn"),
    "reason_left": ("不再接受服务", "no longer served"),
    "reason_deceased": ("去世", "deceased"),
    "reason_mistake": ("登记有误", "registered by mistake"),
    "household": ("同住", "Household"),
    "what": ("内容", "What"),
    "how_many": ("数量", "How many"),
    "deleted": ("已删除或已去除个人信息", "Deleted, or no longer about anybody"),
    "kept": ("保留的内容与理由", "What is kept, and why"),
    "later": ("稍后自行消失的内容", "What goes by itself, later"),
    "found_elsewhere": ("别处仍登记的同一号码", "The same number, registered elsewhere"),
    "digest": ("本证明的校验值（SHA-256）保存在平台，可据以核对。", "The platform keeps this certificate's SHA-256."),
    "n_person": ("服务对象记录", "the person's record"),
    "n_consents": ("同意书", "consents"),
    "n_contacts": ("联系人", "contacts"),
    "n_away": ("外出记录", "absences"),
    "n_home": ("家庭（地址、电话、进门方式、坐标已清空）", "home (address, telephone, way in, coordinates emptied)"),
    "n_devices_unbound": ("设备（已解除绑定并停用）", "devices (unbound and switched off)"),
    "n_devices_behind_gateways": ("网关后的设备", "devices behind gateways"),
    "n_device_heard": ("设备上报摘要", "what was heard of devices, in short"),
    "n_device_clocks": ("设备时钟差", "offsets of device clocks"),
    "n_rejected": ("拒收消息的样本", "samples of refused messages"),
    "n_parked": ("搁置的条目", "entries set aside"),
    "n_self_tests": ("自检记录", "self-tests"),
    "n_limits": ("生命体征的限值", "limits of vital signs"),
    "n_askings": ("询问本人的记录", "questions whether all is well"),
    "n_home_code": ("门上的到场验证码", "codes for helpers on the wall"),
    "n_packets": ("交接单的收件人", "to whom hand-over packets were given"),
    "n_tasks": ("待办事项", "tasks about the home"),
    "n_tasks_masked": ("待办事项的备注（其中的姓名和号码已去除）", "notes of tasks (their name and number taken out)"),
    "n_words_pending": ("待确认的短信", "text messages that were asked back about"),
    "n_policy_books": ("预案版本（其中的编号和姓名已去除）", "versions of the policies (their id and name taken out)"),
    "n_visit_notes": ("上门时留意的事项", "notes for the visit"),
    "n_detection": ("检测的短期记忆", "detection's short memory"),
    "n_readings": ("传感器数据", "readings"),
    "n_rollups": ("汇总数据", "roll-ups"),
    "n_incidents": ("事件（已去除个人信息）", "incidents (no longer about anybody)"),
    "n_journal_entries": ("事件记录中去除个人信息的条目", "journal entries from which they were taken"),
    "n_alarms": ("告警（依据已删除）", "alarms (their evidence deleted)"),
    "n_sends": ("电话与短信（号码与内容已删除）", "calls and messages (numbers and words deleted)"),
    "n_incidents_masked": ("事件（其中的姓名和号码已去除）", "incidents (their name and number taken out)"),
    "n_alarms_masked": ("告警（其中的姓名和号码已去除）", "alarms (their name and number taken out)"),
    "n_sends_masked": ("电话与短信（其中的姓名和号码已去除）", "calls and messages (their name and number taken out)"),
    "k_incidents": (
        "事件的时间、原因、结果和所在区域：服务质量统计须保留，不再指向任何人。",
        "Incidents' times, cause, outcome and area: the service is measured by them; they point to nobody.",
    ),
    "k_journal": (
        "事件记录的先后与校验链：用于事后查证；被去除的内容已封存，改动会显现。",
        "The order of journals and their chain of hashes: for inquiries. What was taken out is sealed; changes show.",
    ),
    "k_home": (
        "家庭编号和区域：地址已清空，用于区域统计。",
        "The home's number and area, without an address: figures of the area count by it.",
    ),
    "k_devices": ("设备本身的编号和型号：属于设备。", "The devices' own names and models: they are equipment."),
    "k_responders": (
        "志愿者与救援人员出动的记录：属于他们本人（志愿时长）。",
        "That volunteers and responders were called and went: it is theirs (hours of service).",
    ),
    "k_staff": ("值班员的姓名与操作时间：责任记录。", "Operators' names and what they did when: accountability."),
    "k_household": (
        "家庭地址、联系人、设备及其数据：同住的人仍需要。",
        "The home's address, contacts, devices and their data: others live there and need them.",
    ),
    "l_log": (
        "传输日志：处理后几分钟内自动删除；删除时仍在途中的数据除外，由下一次（对任何人的）删除操作清除。",
        "The log between processes: gone within minutes of being acted on. What was on its way just then may be stored"
        " after this; the next deletion, of anybody, takes it along.",
    ),
    "l_process_logs": (
        "进程日志：只含设备编号，写满后自动覆盖。",
        "The processes' own logs: they hold devices' names at most, and are overwritten as they fill.",
    ),
    "l_backups": (
        "备份：按其保留期到期删除；从备份恢复后须重新执行本删除。",
        "Backups: until they expire. After a restore from one, this deletion has to be done again.",
    ),
    "l_provider": (
        "电话运营商的通话记录：由运营商按其规定保存。",
        "The telephone provider's own records of calls: the provider keeps them by its rules.",
    ),
}


def say(key: str, language: str, /, **values: object) -> str:
    text = WORDS[key][0 if language == "zh" else 1]
    return text.format(**values) if values else text
