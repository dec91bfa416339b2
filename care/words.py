"""What the register says to people, in Chinese and English: one table of every reason and every line. PURE."""

from collections.abc import Mapping
from typing import Any

from care.refusal import Refusal

WORDS: Mapping[str, tuple[str, str]] = {
    # A cell.
    "required": ("不能为空", "must be given"),
    "too_long": ("过长：{length} 个字符，最多 {limit} 个", "too long: {length} characters, at most {limit}"),
    "control_character": ("含有控制字符 {code}", "contains the control character {code}"),
    "line_break": ("只能写一行", "must be one line"),
    "rounded": (
        "“{text}” 已被电子表格改成科学计数法，原来的数字丢失了；请把该列设为文本后重新填写",
        "a spreadsheet has rounded this to “{text}” and the digits are lost; make the column text and enter it again",
    ),
    "no_id": ("“{text}” 不是编号：只能用字母、数字、- 和 _", "“{text}” is no id: letters, digits, - and _ only"),
    "no_area_code": ("“{text}” 不是区划代码：4 至 12 位数字", "“{text}” is no area code: 4 to 12 digits"),
    "no_password_hash": ("不是 Mosquitto 的密码散列", "is no password hash of Mosquitto's"),
    "not_one_of": ("“{text}” 不在可选范围内：{choices}", "“{text}” is not one of: {choices}"),
    "no_number": ("“{text}” 不是数字", "“{text}” is no number"),
    "no_zone": ("“{text}” 不是时区；如 Asia/Shanghai", "“{text}” is no time zone; for example Asia/Shanghai"),
    "no_span": ("“{text}” 不是时段；写成 22:00-07:00", "“{text}” is no span of hours; write it as 22:00-07:00"),
    "no_rota": (
        "“{text}” 不是值班时段；写成 mon-fri 08:00-18:00; sat,sun 09:00-12:00（或 周一至周五 08:00-18:00）",
        "“{text}” is no rota; write it as mon-fri 08:00-18:00; sat,sun 09:00-12:00",
    ),
    "no_address": (
        "不是通知地址；如 mailtos://…、wecombot://…、dingtalk://…",
        "is no address for notices; as mailtos://…, wecombot://…, dingtalk://…",
    ),
    "unknown_service": (
        "通知不能发到 {service}:// ；可用：{choices}",
        "no notice goes to {service}://; of: {choices}",
    ),
    "no_limits": (
        "“{text}” 不是限值；写成“心率 50–110；血氧 90–”，可用：{choices}",
        "“{text}” is no limit; write “heart_rate 50–110; spo2 90–”, of: {choices}",
    ),
    "limits_reversed": ("“{text}” 的下限不低于上限", "the lower limit of “{text}” is not below the upper one"),
    "no_whole_number": ("“{text}” 不是整数", "“{text}” is no whole number"),
    "out_of_range": ("“{text}” 超出范围 {lowest} 至 {highest}", "“{text}” is not between {lowest} and {highest}"),
    "no_flag": ("“{text}” 应为 是 或 否", "“{text}” should be yes or no"),
    "no_date": ("“{text}” 不是日期；请写成 2026-03-01", "“{text}” is no date; write it as 2026-03-01"),
    "no_time": ("“{text}” 不是时间；请写成 2026-03-01 08:00", "“{text}” is no time; write it as 2026-03-01 08:00"),
    "phone_rounded": (
        "“{text}” 已被电子表格改成科学计数法，号码丢失了；请把该列设为文本后重新填写",
        "a spreadsheet has rounded this number to “{text}”; make the column text and enter it again",
    ),
    "phone_several": ("“{text}” 含有多个号码；只填一个", "“{text}” holds several numbers; give one"),
    "phone_extension": (
        "“{text}” 带分机号；请填直拨号码",
        "“{text}” has an extension; give a number that rings directly",
    ),
    "phone_characters": ("“{text}” 不是电话号码", "“{text}” is no phone number"),
    "phone_short": (
        "“{text}” 太短；紧急和服务号码不能作为个人号码",
        "“{text}” is too short; an emergency or service number is nobody's own",
    ),
    "phone_area_code": ("“{text}” 缺少区号", "“{text}” lacks its area code"),
    "phone_length": ("“{text}” 的位数不是有效的电话号码", "“{text}” has not the digits of a phone number"),
    "formula": (
        "是公式 {text}；请改成数值（复制后选择性粘贴为数值）",
        "is the formula {text}; replace it by its value (copy, then paste values only)",
    ),
    "cell_error": ("是电子表格的错误值 {text}", "is the spreadsheet's error {text}"),
    "made_date": (
        "已被电子表格改成日期 {text}；请把该列设为文本后重新填写",
        "a spreadsheet has made the date {text} of this; make the column text and enter it again",
    ),
    "year_alone": (
        "只填了 {year}，电子表格把它当成 {text}；请写成完整日期，如 2026-03-01",
        "holds {year} alone, which the spreadsheet takes for {text}; write the whole day, as 2026-03-01",
    ),
    # What a device is told to go by.
    "config_behind_gateway": (
        "{device} 经网关 {gateway} 接入，不能远程设置；请在网关上设置",
        "{device} speaks through the gateway {gateway} and cannot be told; set it up at the gateway",
    ),
    "config_not_native": (
        "{device}（{kind}）不使用本平台协议，不能远程设置",
        "{device} (a {kind}) does not speak our protocol and cannot be told",
    ),
    # A row.
    "area_digits": (
        "级别 {level} 的区划代码应为 {digits} 位，“{code}” 不是",
        "the code of a {level} has {digits} digits, “{code}” has not",
    ),
    "area_parent": ("“{code}” 的上级代码应为 {expected}", "the parent of “{code}” should be {expected}"),
    "coordinates_incomplete": (
        "纬度、经度和坐标系（WGS-84 或 GCJ-02）须同时填写",
        "latitude, longitude and coordinates (WGS-84 or GCJ-02) go together",
    ),
    "fence_without_place": (
        "电子围栏以住址为中心；请填写纬度、经度和坐标系",
        "the fence is drawn around the home: latitude, longitude and coordinates are needed",
    ),
    "floor_above_ceiling": ("不能大于无活动小时数 {ceiling}", "cannot be more than the inactivity hours, {ceiling}"),
    "device_reserved": ("“{id}” 是平台保留的名称", "“{id}” is a name of the platform's own"),
    "incident_open": (
        "{incident} 尚未了结：他们可能正需要帮助。结案后再删除",
        "{incident} is still open: they may need help. Delete when it is closed",
    ),
    "journal_broken": (
        "事件 {incident} 的记录从第 {number} 条起与当初所写不符，须先查明",
        "the journal of incident {incident} is not what was written, from entry {number} on: look into that first",
    ),
    "device_taken": ("“{id}” 已是另一台设备的编号", "“{id}” is another device's name already"),
    "clock_has_no_home": ("时钟设备不属于任何家庭", "a clock belongs to no home"),
    "gateway_and_address": ("网关编号与网关内地址须同时填写", "gateway and address go together"),
    "behind_nobody": ("{kind} 不接在网关之后", "a {kind} is behind no gateway"),
    "no_gateway": ("设备 {id} 不是网关", "device {id} is no gateway (hub)"),
    "address_taken": (
        "网关 {gateway} 的地址“{address}”已由其他设备占用",
        "another device is already at “{address}” of gateway {gateway}",
    ),
    "withdrawn_before_given": ("撤回时间早于同意时间", "withdrawn before it was given"),
    "away_until_before_from": ("返回时间不晚于外出时间", "the return is not after the beginning"),
    "repeated": ("与第 {line} 行重复", "repeats line {line}"),
    "rank_taken": ("顺序 {rank} 已由联系人 {id} 占用", "place {rank} is already contact {id}'s"),
    "unknown_areas": ("没有区划代码为 {id} 的区域", "there is no area {id}"),
    "unknown_homes": ("没有编号为 {id} 的家庭", "there is no home {id}"),
    "unknown_devices": ("没有编号为 {id} 的设备", "there is no device {id}"),
    "unknown_responders": ("没有编号为 {id} 的救援人员", "there is no responder {id}"),
    "absent_until_before_from": ("缺勤结束不晚于开始", "the end of the absence is not after its beginning"),
    "absence_over": ("这段缺勤已经结束；请写将来的时间，或留空", "this absence is over: give a time to come, or none"),
    "no_such_responder": (
        "没有叫“{text}”的救援人员；请从列表里选，或写编号",
        "there is no responder “{text}”: choose one from the list, or write their id",
    ),
    "several_responders": (
        "有几位救援人员叫“{text}”；请写编号：{ids}",
        "several responders are called “{text}”: write one of their ids: {ids}",
    ),
    "day_over": ("这一天已经过去；请写今天或以后的日期", "this day is over: give today or a day to come"),
    "last_before_first": ("最后一天早于第一天", "the last day is before the first"),
    "days_too_many": ("一次最多登记 {limit} 天", "at most {limit} days are entered at once"),
    "stands_in_for_oneself": ("不能由本人代班", "nobody stands in for themselves"),
    "unknown_people": ("没有编号为 {id} 的服务对象", "there is no person {id}"),
    "outside_area": ("不在您的管辖区域 {scope} 内", "is outside your area {scope}"),
    "in_use": ("仍被 {by} 使用，不能删除", "is still needed by {by}, so it cannot be deleted"),
    # A file.
    "unknown_file": ("不是登记册的文件；应为 {expected}", "is no file of the register; expected {expected}"),
    "second_file": ("{entity} 有两张表", "is a second table of {entity}"),
    "no_files": ("没有找到 CSV 文件或 Excel 工作簿", "no CSV files and no Excel workbook were found"),
    "empty_file": ("文件是空的，连标题行也没有", "is empty: not even a heading"),
    "file_too_large": ("大于 {limit_mib} MiB", "is larger than {limit_mib} MiB"),
    "too_many_rows": ("多于 {limit} 行", "has more than {limit} rows"),
    "too_many_files": ("多于 {limit} 个文件", "holds more than {limit} files"),
    "encoding": ("既不是 UTF-8 也不是 GB18030 编码", "is neither UTF-8 nor GB18030"),
    "encoding_utf16": ("是 UTF-16 编码；请另存为 CSV UTF-8", "is UTF-16; save it as CSV UTF-8"),
    "broken_csv": ("引号没有配对（{error}）", "the quotes do not match ({error})"),
    "unknown_column": ("没有这一列；可用的列：{known}", "there is no such column; known are: {known}"),
    "second_column": ("列重复", "the column is there twice"),
    "missing_column": ("缺少这一列", "the column is missing"),
    "cell_without_column": ("“{text}” 上方没有标题", "“{text}” stands under no heading"),
    "unreadable": ("无法读取：{error}", "cannot be read: {error}"),
    "no_zip": ("不是完好的 ZIP 文件", "is no zip file, or a broken one"),
    # A workbook.
    "no_workbook": (
        "不是完好的 Excel 工作簿；请用 Excel 或 WPS 打开后另存为 .xlsx",
        "is no Excel workbook, or a broken one; open it in Excel or WPS and save it as .xlsx",
    ),
    "old_workbook": (
        "是旧格式（.xls、.et）；请另存为 Excel 工作簿（.xlsx）",
        "is of the old kind (.xls, .et); save it as an Excel workbook (.xlsx)",
    ),
    "encrypted": ("有密码保护；请去掉打开密码后再导入", "is protected by a password; remove it and import again"),
    "macros": (
        "可能含有宏；请另存为不含宏的工作簿（.xlsx）",
        "may hold macros; save it as a workbook without macros (.xlsx)",
    ),
    "document_type": (
        "含有工作簿中不该有的内容（DOCTYPE）；请用 Excel 或 WPS 重新保存",
        "holds what no workbook should (a DOCTYPE); save it again with Excel or WPS",
    ),
    "workbook_too_large": (
        "内容过多；请分成几个工作簿，或删除数据以外的行和列",
        "holds too much; divide it, or delete the rows and columns beside the data",
    ),
    "workbook_too_heavy": (
        "在 {seconds} 秒和规定的内存内无法处理；请分成几个工作簿，或改用 CSV",
        "cannot be handled within {seconds} seconds and the memory allowed; divide it, or use CSV",
    ),
    "no_sheets": ("没有登记册的工作表；应为 {expected}", "has no sheet of the register; expected {expected}"),
    "unknown_sheet": (
        "不是登记册的工作表；应为 {expected}。请改名或删除",
        "is no sheet of the register; expected {expected}. Rename or delete it",
    ),
    "hidden_sheet": (
        "工作表被隐藏；请取消隐藏后检查，或删除",
        "is a hidden sheet; unhide it and look at it, or delete it",
    ),
    "merged": (
        "单元格 {range} 被合并；请取消合并，每行都填写完整",
        "the cells {range} are merged; unmerge them and fill in every row",
    ),
    "sheet_explanation": ("说明", "Read me"),
    "choose_from_list": ("请从下拉列表中选择。", "Choose from the list."),
    "explain_title": ("平安通登记册", "The register of Ping An Tong"),
    "explain_private": (
        "{at} 导出（北京时间）。含个人信息、进门方式和设备密码散列，请妥善保管，不要转发。",
        "Exported at {at} (China's time). It holds personal data, ways into homes and devices' password hashes: keep it"
        " safe, and do not pass it on.",
    ),
    "explain_rows": (
        "每张工作表是一种记录，每行一条。编号已有的行会被更改，没有的会新增；导入从不删除任何内容。筛选时看不见的行也会导入。",
        "Each sheet is one kind of record, each row one of them. A row whose id is known is changed, another is added;"
        " an import never deletes. Rows that a filter hides are imported too.",
    ),
    "explain_text": (
        "编号、代码和电话都是文本，请不要改成数字，否则开头的 0 会丢失。不要用公式，不要合并单元格。",
        "Ids, codes and phone numbers are text: as numbers they would lose their leading zeros. No formulas, no merged"
        " cells.",
    ),
    "explain_dates": (
        "日期写成 2026-03-01，时间写成 2026-03-01 08:00（北京时间）。有下拉列表的请从中选择。",
        "Write days as 2026-03-01 and times as 2026-03-01 08:00 (China's time). Where there is a list, choose from it.",
    ),
    "explain_columns": (
        "第一行是列名，请不要改；深色的列必须填写。可以删去不需要的列：没有的列保持不变，空白的单元格会清空原有内容。",
        "The first row names the columns: leave it. The darker ones must be given. A column may be deleted: what is not"
        " there stays as it is, but an empty cell empties what was there.",
    ),
    "explain_import": (
        "改好后保存为 .xlsx，在“导入”页面先选“只检查”。有一行不对，就一行也不导入。",
        "Save it as .xlsx, and on the page “Import” choose “Only check” first. If one row is wrong, none is imported.",
    ),
    "explain_sheet": ("工作表", "Sheet"),
    "explain_column": ("列", "Column"),
    "explain_required": ("必填", "Required"),
    "explain_needed": ("是", "yes"),
    "explain_allowed": ("可以填写", "What may be written"),
    "form_text": ("文字，最多 {limit} 个字符，只写一行", "text, at most {limit} characters, one line"),
    "form_story": ("文字，最多 {limit} 个字符，可以换行", "text, at most {limit} characters, on several lines too"),
    "form_id": ("字母、数字、- 和 _，最多 64 个", "letters, digits, - and _, at most 64"),
    "form_area_code": ("4、6、9 或 12 位统计用区划代码", "a division code of 4, 6, 9 or 12 digits"),
    "form_password_hash": ("由平台填写，请不要改", "filled in by the platform: leave it"),
    "form_phone": (
        "一个电话号码；固定电话要写区号，如 0750-3123456",
        "one phone number; a fixed line with its area code, as 0750-3123456",
    ),
    "form_day": ("日期，如 2026-03-01", "a day, as 2026-03-01"),
    "form_moment": ("时间，如 2026-03-01 08:00", "a time, as 2026-03-01 08:00"),
    "form_number": ("数字，{lowest} 至 {highest}", "a number, {lowest} to {highest}"),
    "form_zone": ("时区，如 Asia/Shanghai；空：与中心相同", "a time zone, as Asia/Shanghai; empty: the centre's"),
    "form_limits": (
        "限值，如 心率 50–110；血氧 90–；收缩压 –180",
        "limits, as heart_rate 50–110; spo2 90–; systolic –180",
    ),
    "form_span": ("时段，如 22:00-07:00", "a span of hours, as 22:00-07:00"),
    "form_rota": (
        "值班时段，如 mon-fri 08:00-18:00; sat,sun 09:00-12:00；空：随时",
        "a rota, as mon-fri 08:00-18:00; sat,sun 09:00-12:00; empty: always",
    ),
    "form_address": (
        "一个通知地址，按 Apprise 的写法；可能含密钥，请妥善保管",
        "one address for notices, as Apprise writes it; it may hold a secret",
    ),
    "form_whole": ("整数，{lowest} 至 {highest}", "a whole number, {lowest} to {highest}"),
    "form_choice": ("选一：", "one of: "),
    # Accounts.
    "account_id": (
        "“{account}” 不能作为账号：小写字母、数字、. _ -，最多 64 个字符",
        "“{account}” cannot be an account: small letters, digits, . _ -, at most 64",
    ),
    "account_exists": ("账号 {account} 已存在", "the account {account} exists already"),
    "no_account": ("没有账号 {account}", "there is no account {account}"),
    "no_area": ("没有区划代码为 {area} 的区域", "there is no area {area}"),
    "role": ("“{role}” 不是角色：{roles}", "“{role}” is no role: {roles}"),
    "password_length": ("密码须为 {shortest} 至 {longest} 个字符", "a password has {shortest} to {longest} characters"),
    "password_weak": ("密码太容易猜到", "the password is too easy to guess"),
    "token_name": ("“{name}” 不能作为令牌名称", "“{name}” cannot be a token's name"),
    "token_exists": ("令牌 {name} 已存在", "a token {name} exists already"),
    # The command line.
    "line": ("{file} 第 {line} 行 {column}：{reason}", "{file}, line {line}, {column}: {reason}"),
    "line_whole": ("{file} 第 {line} 行：{reason}", "{file}, line {line}: {reason}"),
    "file": ("{file}：{reason}", "{file}: {reason}"),
    "nothing_imported": ("{count} 处错误，未导入任何内容。", "{count} mistakes; nothing was imported."),
    "only_first": ("只列出前 {count} 处。", "Only the first {count} are listed."),
    "counts": (
        "{entity}：新增 {added}，更改 {changed}，未变 {unchanged}",
        "{entity}: {added} added, {changed} changed, {unchanged} unchanged",
    ),
    "dry_run": ("试运行：未写入任何内容。", "Dry run: nothing was written."),
    "would_get_password": ("{count} 台设备将获得密码。", "{count} devices would get a password."),
    "passwords_written": (
        "{count} 台设备的新密码已写入 {path}（仅此一次）。",
        "The new passwords of {count} devices are in {path}: they are shown this once.",
    ),
    "passwords_here": ("新设备密码（仅显示这一次）：", "New device passwords, shown this once:"),
    "exported": ("已导出到 {path}：{count} 张表", "exported to {path}: {count} tables"),
    "already_there": ("{path} 已存在；请另选一个文件名", "{path} is there already; choose another name"),
    "no_data": ("未设置 PINGAN_DATA", "PINGAN_DATA is not set"),
    "sample_homes": ("家庭数应在 {lowest} 与 {highest} 之间", "between {lowest} and {highest} homes"),
    "done": ("完成。", "Done."),
    "no_token": ("没有令牌 {name}", "there is no token {name}"),
    "sample_loaded": (
        "示例社区已载入；账号见 {path}",
        "The sample neighbourhood is loaded; its accounts are in {path}",
    ),
    "sample_not_empty": ("登记册不为空，未载入示例。", "The register is not empty; the sample was not loaded."),
    "password_is": (
        "{account} 的密码（仅显示这一次）：{password}",
        "The password of {account}, shown this once: {password}",
    ),
    "token_is": ("令牌 {name}（仅显示这一次）：{token}", "The token {name}, shown this once: {token}"),
    # Devices and their credentials.
    "no_device": ("没有编号为 {id} 的设备", "there is no device {id}"),
    "kind_needed": ("新设备 {id} 需要类型（--kind）", "a new device ({id}) needs a kind (--kind)"),
    "authority": ("证书颁发机构：{error}", "the certificate authority: {error}"),
    "authority_is": (
        "证书颁发机构在 {path}，指纹 sha256-{fingerprint}，有效期至 {until}",
        "The authority is in {path}, fingerprint sha256-{fingerprint}, valid until {until}",
    ),
    "certificate_behind_gateway": (
        "通过网关通信的设备自身不连接，不需要证书",
        "a device that speaks through a gateway does not connect itself and needs no certificate",
    ),
    "no_certificate_port": (
        "消息代理没有证书端口：请先设置 PINGAN_MQTT_CERTIFICATE_PORT 并重新启动",
        "the broker takes nobody by certificate: set PINGAN_MQTT_CERTIFICATE_PORT and start it again first",
    ),
    "setup_without_password": (
        "使用证书的设备没有密码，不能生成安装码",
        "a device with a certificate has no password, and so no set-up code",
    ),
    "label_form": ("“{form}” 不是标签格式：请用 .svg 或 .png", "“{form}” is no form of a label: .svg or .png"),
    "label_headline": ("紧急呼叫设备", "Emergency call device"),
    "setup_headline": ("安装码 · 用后销毁", "Set-up code · destroy after use"),
    "device_enrolled": ("设备 {id}（{kind}），家庭 {home}", "Device {id} ({kind}), home {home}"),
    "device_password": ("密码（仅显示这一次）：{password}", "Password, shown this once: {password}"),
    "device_certificate": (
        "证书和密钥在 {path}，有效期至 {until}；密钥别处没有副本",
        "Its certificate and key are in {path}, valid until {until}; nobody has another copy of the key",
    ),
    "device_broker": ("连接到 {url}", "It connects to {url}"),
    "device_through_gateway": (
        "它通过网关通信，不需要自己的密码。",
        "It speaks through its gateway and needs no password of its own.",
    ),
    "device_is_disabled": (
        "它已停用；`pingan device enable {id}` 让它恢复连接。",
        "It is disabled; `pingan device enable {id}` lets it in.",
    ),
    "device_revoked": (
        "{id} 的凭据全部作废，连接会在数秒内断开。重新登记可得到新凭据。",
        "Every credential of {id} has ended; its connection ends within seconds. Enrol it again for a new one.",
    ),
    "label_written": ("标签：{path}", "Label: {path}"),
    "setup_written": (
        "安装码：{path}（含密码，用后销毁）",
        "Set-up code: {path} (it holds the password: destroy it after use)",
    ),
    "certificate_valid": ("证书 {serial}：{since} 至 {until}", "certificate {serial}: {since} to {until}"),
    "certificate_revoked": (
        "证书 {serial}：{since} 签发，已吊销（{at}）",
        "certificate {serial}: issued {since}, revoked ({at})",
    ),
    "no_database": ("数据库没有应答：{error}", "the database does not answer: {error}"),
}


def say(key: str, language: str, **values: Any) -> str:
    """The words of `key` with its blanks filled."""
    chinese, english = WORDS[key]
    return (chinese if language == "zh" else english).format(**values)


def explain(refusal: Refusal, language: str) -> str:
    """Why it was refused, in words."""
    return say(refusal.reason, language, **refusal.values)
