"""What the commands of this package say, in Chinese and in English."""

import os
import sys
from collections.abc import Mapping

WORDS: dict[str, dict[str, str]] = {
    "starting": {
        "en": "Starting the platform in {data} …",
        "zh": "正在启动平台，数据文件夹：{data} …",
    },
    "already": {
        "en": "The platform in {data} is already running.",
        "zh": "平台已在运行，数据文件夹：{data}。",
    },
    "already_other": {
        "en": "It runs with other settings than were asked for now ({names}). To change them: pingan down, then up.",
        "zh": "它所用的设置与这次给出的不同（{names}）。若要更改，请先运行 pingan down，再重新启动。",
    },
    "held": {
        "en": "Its supervisor was held (stopped by a signal) and is being replaced.",
        "zh": "监护进程被暂停，正在替换。",
    },
    "kept": {
        "en": "Settings kept from the last start: {settings}",
        "zh": "沿用上次启动时的设置：{settings}",
    },
    "waiting": {"en": "  waiting for {what}", "zh": "  等待 {what}"},
    "supervisor": {"en": "the supervisor", "zh": "监护进程"},
    "preparation": {"en": "its preparation", "zh": "准备工作"},
    "database": {"en": "the database", "zh": "数据库"},
    "migrate": {"en": "the database's schema", "zh": "数据库结构"},
    "sample register": {"en": "the sample register", "zh": "示例登记册"},
    "devices": {"en": "the broker to know the devices", "zh": "消息代理载入设备"},
    "access file": {"en": "the access file", "zh": "访问信息文件"},
    "console_page": {"en": "the console's page", "zh": "值班台页面"},
    "late": {
        "en": "It is not ready after {seconds} s; it goes on trying. What is wrong: pingan doctor. Logs: {log}",
        "zh": "{seconds} 秒后仍未就绪，系统会继续尝试。查看原因请运行 pingan doctor；日志在 {log}",
    },
    "failed": {
        "en": "The supervisor has ended. Its last words: {reason}",
        "zh": "监护进程已退出，最后的日志：{reason}",
    },
    "port_taken": {
        "en": "Port {port} is in use by another program. Choose another one: {setting}=… make up",
        "zh": "端口 {port} 已被其他程序占用。请换一个端口：{setting}=… make up",
    },
    "ready": {
        "en": "The platform is running.",
        "zh": "平台已启动。",
    },
    "console": {"en": "  console    {url}", "zh": "  值班台    {url}"},
    "sign_in": {"en": "  sign in    {user} / {password}", "zh": "  登录      {user} / {password}"},
    "mqtt": {"en": "  devices    mqtt://{host}:{port}", "zh": "  设备接入  mqtt://{host}:{port}"},
    "simulator": {"en": "  phones     {url}  (simulated)", "zh": "  模拟电话  {url}"},
    "try": {
        "en": "Try it: {pingan} sim press --home {home}      Stop it: {pingan} down",
        "zh": "试一试：{pingan} sim press --home {home}      停止：{pingan} down",
    },
    "stopping": {"en": "Stopping …", "zh": "正在停止 …"},
    "stopped": {"en": "The platform is stopped. Its data stays in {data}.", "zh": "平台已停止，数据保留在 {data}。"},
    "not_running": {"en": "The platform in {data} is not running.", "zh": "平台未在运行，数据文件夹：{data}。"},
    "killed": {
        "en": "The supervisor did not stop in time and was killed.",
        "zh": "监护进程未能及时停止，已被强制结束。",
    },
    "no_access": {
        "en": "There is nothing to reach yet: start the platform with `make up`.",
        "zh": "平台尚未启动，请先运行 make up。",
    },
    "started_times": {"en": "started {count}×", "zh": "启动 {count} 次"},
    "not_started": {"en": "not running", "zh": "未运行"},
    "running": {"en": "running", "zh": "运行中"},
}


def language(environ: Mapping[str, str] | None = None) -> str:
    """`zh` or `en`: PINGAN_LANGUAGE, else the terminal's."""
    environ = os.environ if environ is None else environ
    wanted = environ.get("PINGAN_LANGUAGE") or environ.get("LC_ALL") or environ.get("LANG") or ""
    return "zh" if wanted.lower().startswith("zh") else "en"


def words(key: str, table: Mapping[str, Mapping[str, str]] = WORDS, /, **values: object) -> str:
    """The sentence `key` of `table` in the reader's language."""
    return table[key][language()].format(**values)


def say(text: str) -> None:
    """One line for the person at the terminal, at once."""
    # A terminal that cannot show Chinese must not end the command.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()
