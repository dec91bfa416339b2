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
    "device_reserved": ("“{id}” 是平台保留的名称", "“{id}” is a name of the platform's own"),
    "clock_has_no_home": ("时钟设备不属于任何家庭", "a clock belongs to no home"),
    "withdrawn_before_given": ("撤回时间早于同意时间", "withdrawn before it was given"),
    "away_until_before_from": ("返回时间不晚于外出时间", "the return is not after the beginning"),
    "repeated": ("与第 {line} 行重复", "repeats line {line}"),
    "rank_taken": ("顺序 {rank} 已由联系人 {id} 占用", "place {rank} is already contact {id}'s"),
    "unknown_areas": ("没有区划代码为 {id} 的区域", "there is no area {id}"),
    "unknown_homes": ("没有编号为 {id} 的家庭", "there is no home {id}"),
    "unknown_people": ("没有编号为 {id} 的服务对象", "there is no person {id}"),
    "outside_area": ("不在您的管辖区域 {scope} 内", "is outside your area {scope}"),
    "in_use": ("仍被 {by} 使用，不能删除", "is still needed by {by}, so it cannot be deleted"),
    # A file.
    "unknown_file": ("不是登记册的文件；应为 {expected}", "is no file of the register; expected {expected}"),
    "second_file": ("{entity} 有两个文件", "is a second file of {entity}"),
    "no_files": ("没有找到 CSV 文件", "no CSV files were found"),
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
    "exported": ("已导出到 {path}：{count} 个文件", "exported to {path}: {count} files"),
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
    "no_database": ("数据库没有应答：{error}", "the database does not answer: {error}"),
}


def say(key: str, language: str, **values: Any) -> str:
    """The words of `key` with its blanks filled."""
    chinese, english = WORDS[key]
    return (chinese if language == "zh" else english).format(**values)


def explain(refusal: Refusal, language: str) -> str:
    """Why it was refused, in words."""
    return say(refusal.reason, language, **refusal.values)
