"""What `pingan receiver` says to people, in Chinese and in English. PURE."""

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "about": {
        "en": "The receiver of SOS Access v4; without a subcommand it runs the receiver.",
        "zh": "SOS Access v4 报警接收器；不带子命令时运行接收服务。",
    },
    "help_run": {
        "en": "run the receiver",
        "zh": "运行接收服务",
    },
    "help_add": {
        "en": "enrol a transmitter, and show its authentication once",
        "zh": "登记一台报警主机，并显示一次密码",
    },
    "help_renew": {
        "en": "a new authentication at once; the old one is void",
        "zh": "更换密码，旧密码立即失效",
    },
    "help_remove": {
        "en": "a transmitter's enrolment ends; its device stays in the register",
        "zh": "取消登记",
    },
    "help_list": {
        "en": "the transmitters that are enrolled",
        "zh": "列出已登记的报警主机",
    },
    "help_code": {
        "en": "SOS Access: transmittercode, 1 to 15 characters",
        "zh": "主机编码（SOS Access 的 transmittercode，1 至 15 个字符）",
    },
    "help_device": {
        "en": "the device's id in the register (default: the code)",
        "zh": "登记册中的设备编号（默认与主机编码相同）",
    },
    "help_unwatched": {
        "en": "its line is not watched: its heartbeats are refused",
        "zh": "不监视线路：心跳会被拒绝",
    },
    "authentication": {
        "en": "The authentication of {code} (device {device}): {authentication}\n"
        "It is shown only now: write it into the transmitter.",
        "zh": "主机 {code}（设备 {device}）的密码：{authentication}\n密码只显示这一次，请写入主机。",
    },
    "renewed": {
        "en": "The new authentication of {code}: {authentication}\nIt is shown only now; the old one is void.",
        "zh": "主机 {code} 的新密码：{authentication}\n密码只显示这一次；旧密码已失效。",
    },
    "removed": {
        "en": "{code} is no transmitter any more.",
        "zh": "主机 {code} 已取消登记。",
    },
    "row": {
        "en": "{code}\tdevice {device}\thome {home}\t{watched}",
        "zh": "{code}\t设备 {device}\t住户 {home}\t{watched}",
    },
    "watched": {
        "en": "line watched",
        "zh": "监视线路",
    },
    "unwatched": {
        "en": "line not watched",
        "zh": "不监视线路",
    },
    "bad_code": {
        "en": "a code is 1 to 15 printable characters of ISO 8859-1",
        "zh": "主机编码应为 1 至 15 个可打印的 ISO 8859-1 字符",
    },
    "code_taken": {
        "en": "{code} is a transmitter already",
        "zh": "主机 {code} 已经登记",
    },
    "no_device": {
        "en": "the register has no device {device}; enrol it there first (kind panel)",
        "zh": "登记册中没有设备 {device}；请先登记设备（类别 panel）",
    },
    "device_taken": {
        "en": "the device {device} is another transmitter already",
        "zh": "设备 {device} 已对应另一台主机",
    },
    "no_transmitter": {
        "en": "there is no transmitter {code}",
        "zh": "没有主机 {code}",
    },
    "no_database": {
        "en": "the database cannot be reached: {error}",
        "zh": "无法连接数据库：{error}",
    },
}
