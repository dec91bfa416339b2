"""What the simulator's command line says, in English and Chinese."""

import os

_WORDS: dict[str, tuple[str, str]] = {
    "about": (
        "The world outside the platform: homes, buttons, phones, recordings and load.",
        "平台之外的世界：住户、按钮、电话、真实录制数据与负载。",
    ),
    "run": ("run the neighbourhood of an access file", "运行访问文件中的整个社区"),
    "press": ("press the button of a home", "按下某户的呼叫按钮"),
    "self-test": (
        "have the platform test the way of a press from a home's button to the desk's screen and back",
        "让平台测试某户按钮到接警台再返回的完整通路",
    ),
    "phones": ("list the phones and what they do", "列出所有电话及其状态"),
    "phone": (
        "answer a phone, press keys, hang up, set a habit, or call or text the platform's number",
        "接听、按键、挂断，设定接听习惯，或给平台号码打电话、发短信",
    ),
    "cable": ("pull or plug the network cable of a home", "拔掉或插上某户的网线"),
    "answer": (
        "how a home answers when asked whether all is well, from now on",
        "设定某户被问“您还好吗？”时如何回答",
    ),
    "fall": (
        "whoever wears the watch of a home falls, and lies there",
        "某户佩戴手表的人跌倒，躺着不动",
    ),
    "gets_up": ("… gets up after some ten seconds, and walks", "约十秒后起身走动"),
    "falls_and_lies": (
        "{home}: walks, falls in five seconds and lies still ({device})",
        "{home}：正在行走，五秒后跌倒，躺着不动（{device}）",
    ),
    "falls_and_rises": (
        "{home}: walks, falls in five seconds, and gets up ten seconds later ({device})",
        "{home}：正在行走，五秒后跌倒，十秒后起身走动（{device}）",
    ),
    "measure": ("the watch of a home measures a value once", "某户的手表测得一个数值"),
    "measured_what": ("what is measured", "测量项目"),
    "measured_value": ("the value", "数值"),
    "measured": ("{device}: {kind} {value}", "{device}：{kind} {value}"),
    "silence": ("nobody in a home moves any sensor", "某户没有任何活动"),
    "out": ("whoever lives in a home leaves by the entrance", "某户的人开门外出"),
    "hours": ("for so many hours (0: no longer)", "持续几小时（0：到此为止）"),
    "is_silent": ("{home}: silent for {hours} h", "{home}：{hours} 小时内没有活动"),
    "is_out": ("{home}: has gone out for {hours} h", "{home}：外出 {hours} 小时"),
    "power": ("cut the power of many homes at once, or give it back", "让许多户同时停电，或恢复供电"),
    "replay": ("send recordings of real people as devices", "把真实录制数据当作设备数据发送"),
    "load": ("generate load and measure acknowledgements", "产生负载并测量确认时间"),
    "access": ("the access file (default: PINGAN_DATA/access.json)", "访问文件（默认：PINGAN_DATA/access.json）"),
    "climate": ("how bad the network is: fair, poor, storm", "网络状况：fair 良好、poor 较差、storm 恶劣"),
    "pace": (
        "how long the telephone network's lengths take (1: real time, 0.02: a fiftieth)",
        "电话网络的时间比例（1 为真实时间，0.02 为五十分之一）",
    ),
    "habits": ("how everybody takes calls", "所有人的接听习惯"),
    "phones_only": (
        "only the telephone network, no devices: beside a replay on the driven clock",
        "只运行电话网络，不运行设备：与受控时钟回放配合使用",
    ),
    "listen": (
        "where its page listens; it has no password, so elsewhere than on loopback only inside a container",
        "页面的监听地址；该页面没有密码，除容器内部外只应使用本机回环地址",
    ),
    "home": ("the home, for example H001", "住户编号，例如 H001"),
    "device": (
        "a device behind a gateway, for example H005-sos: it has no lamp",
        "网关后的设备，例如 H005-sos（没有指示灯）",
    ),
    "pressed_behind": ("{device} was pressed, behind {gateway}", "已按下网关 {gateway} 后的 {device}"),
    "kind": ("kind of alarm", "报警种类"),
    "test": ("mark the press as a test", "标记为测试"),
    "wait": ("wait until the lamp shows this stage", "一直等到指示灯显示该阶段"),
    "wait_seconds": (
        "give up after so many seconds (120 for received, 3600 for what people do)",
        "最多等待的秒数（等中心收到为 120 秒，等人处理为 3600 秒）",
    ),
    "number": ("the phone's number, for example +8613800000101", "电话号码，例如 +8613800000101"),
    "act": (
        "answer | press DIGITS | hangup | habit KIND | show",
        "answer 接听 | press 按键 | hangup 挂断 | habit 习惯 | show",
    ),
    "value": ("the keys to press, the habit, or the message", "要按的键、习惯名称，或短信内容"),
    "after": ("a habit's seconds until it answers", "按习惯接听前的秒数"),
    "digits": ("the keys a habit presses (accept: 1, decline: 2)", "按习惯所按的键（accept：1，decline：2）"),
    "pull_or_plug": ("pull or plug", "pull 拔掉或 plug 插上"),
    "ok_or_nobody": (
        "ok: all is well; cancel: pressed in error; nobody: no answer",
        "ok 平安；cancel 误触；nobody 无人回答",
    ),
    "answer_after": ("after so many seconds", "几秒后按下"),
    "answers_so": ("{home}: when asked, answers {answer}", "{home}：被问到时回答 {answer}"),
    "cut_or_restore": ("cut or restore", "cut 停电或 restore 恢复"),
    "power_homes": ("these homes (default: every home)", "指定住户（默认：所有住户）"),
    "power_area": ("the homes of this area, and of those within it", "该区域及其下级区域的住户"),
    "power_count": ("no more than so many of them", "其中最多多少户"),
    "no_access": (
        "No access file: give --access FILE, or set PINGAN_DATA to the platform's folder.",
        "没有访问文件：请用 --access 指定文件，或将 PINGAN_DATA 设为平台的数据目录。",
    ),
    "not_running": (
        "No simulator answers at {url}. Start it with: pingan sim run",
        "{url} 没有模拟器应答。启动方法：pingan sim run",
    ),
    "refused": ("The simulator refuses: {reason}", "模拟器拒绝：{reason}"),
    "pressed": ("{home}: pressed, event {id}", "{home}：已按下，事件 {id}"),
    "stage_pressed": ("pressed", "已按下"),
    "stage_failed": ("NO ANSWER YET, trying again", "尚无应答，正在重试"),
    "stage_received": ("received by the centre", "中心已收到"),
    "stage_accepted": ("accepted by {by}", "{by} 已受理"),
    "stage_on_the_way": ("{by} is on the way, arriving {eta}", "{by} 正在赶来，预计 {eta} 到达"),
    "stage_closed": ("closed", "已结束"),
    "no_platform": (
        "The access file does not say where the platform's API is, or as whom.",
        "访问文件没有写明平台接口的地址或令牌。",
    ),
    "no_platform_answers": ("No platform answers at {url}.", "{url} 没有平台应答。"),
    "platform_refuses": ("The platform refuses: {reason}", "平台拒绝：{reason}"),
    "test_began": ("{device}: a self-test is under way until {until}", "{device}：自检已开始，{until} 前有效"),
    "test_prompted_at": ("the device was asked", "已通知设备"),
    "test_pressed_at": ("pressed", "已按下"),
    "test_durable_at": ("durable at the centre", "中心已存妥"),
    "test_shown_at": ("drawn by a screen at the desk", "接警台已显示"),
    "test_told_at": ("the button was told", "已回复按钮"),
    "test_passed": ("passed", "自检通过"),
    "test_failed": ("FAILED: a technical incident is open", "自检未通过：已生成技术事件"),
    "test_missed": ("it gave way to another", "被另一次自检取代"),
    "test_open": (
        "No result within {seconds:g} s; is a console's page open and visible?",
        "{seconds:g} 秒内没有结果；是否有打开且可见的接警台页面？",
    ),
    "not_reached": (
        "The lamp has not shown “{stage}” within {seconds:g} s.",
        "{seconds:g} 秒内指示灯未显示“{stage}”。",
    ),
    "nobody": ("somebody", "有人"),
    "unknown_time": ("soon", "不久"),
    "idle": ("idle", "空闲"),
    "ringing": ("RINGING", "响铃"),
    "in_call": ("in a call", "通话中"),
    "heard": ("heard: {text}", "听到：{text}"),
    "inbox": ("text from {number}: {body}", "短信（{number}）：{body}"),
    "outgoing": ("text to {number}: {body}", "发出的短信（{number}）：{body}"),
    "needs_value": ("“{act}” needs a value.", "“{act}”需要一个值。"),
    "withheld": ("call without showing the number", "不显示号码拨打"),
    "not_taken": (
        "The platform has not taken the message: its webhook answered {status}.",
        "平台没有收下这条短信：网络回调应答为 {status}。",
    ),
    "power_cut": ("no power: {homes} homes, {devices} devices", "已停电：{homes} 户，{devices} 台设备"),
    "power_restored": ("power is back: {homes} homes, {devices} devices", "已恢复供电：{homes} 户，{devices} 台设备"),
    "cable_pulled": ("{home}: the cable is out ({devices})", "{home}：网线已拔掉（{devices}）"),
    "cable_plugged": ("{home}: the cable is in ({devices})", "{home}：网线已插上（{devices}）"),
    "source": ("where the recording comes from", "录制数据来源"),
    "tihm": ("a TIHM home, for example 0efe8", "TIHM 住户编号，例如 0efe8"),
    "house": ("a single-resident house, A to E", "独居住宅，A 至 E"),
    "casas": ("the CASAS home", "CASAS 住户"),
    "falls": ("fall trials: weda, sisfall, umafall", "跌倒试验：weda、sisfall、umafall"),
    "days": ("how many days of it", "天数"),
    "trials": ("how many trials of it", "试验次数"),
    "only": ("of the trials only falls, or only daily activities", "只取跌倒试验，或只取日常活动试验"),
    "driven": ("on the driven clock, as fast as the platform drains", "使用受控时钟，平台处理多快就多快"),
    "speed": ("in real time, so many times as fast", "实时回放的倍速"),
    "start": ("let the recording begin at this time (ISO 8601)", "让录制数据从该时刻开始（ISO 8601）"),
    "step": ("minutes of one step of the driven clock, at most 60", "受控时钟每步的分钟数，最多 60"),
    "heartbeat": ("seconds between the heartbeats of the replayed home's devices", "回放住户各设备的心跳间隔秒数"),
    "everybody": (
        "send the heartbeats of every device of the access file, not only of this home's",
        "为访问文件中的所有设备（不只是本户）发送心跳",
    ),
    "no_operator": (
        "nobody at the desk: what the recording opens stays open, and helper after helper is called (driven only)",
        "值班台无人：触发的事件无人结案，平台会依次呼叫救援人员（仅受控时钟）",
    ),
    "linger": ("wait so long after the end for missing acknowledgements", "结束后等待剩余确认的秒数"),
    "boot": ("boot id: the same one makes a repeat a duplicate", "启动编号：相同则视为重复数据"),
    "data": ("the folder of the recordings", "录制数据目录"),
    "connections": ("how many connections send readings", "发送读数的连接数"),
    "readings": ("readings a second in all", "每秒读数总数"),
    "presses": ("presses a second in all", "每秒按键总数"),
    "seconds": ("how long", "持续秒数"),
    "max": ("as fast as the platform takes them", "以平台能接受的最快速度"),
    "window": ("how many readings may be in flight on a connection (--max)", "每个连接允许的在途读数（--max）"),
    "acknowledged": ("write every acknowledged press to this file", "把每个已确认的按键写入该文件"),
    "retry_seconds": ("seconds until an unacknowledged press is sent again", "未确认的按键隔多少秒重发"),
}


def words() -> dict[str, tuple[str, str]]:
    """Every sentence, English and Chinese, by its name."""
    return dict(_WORDS)


def language() -> str:
    """`zh` or `en`, from PINGAN_LANGUAGE or else LANG."""
    wanted = os.environ.get("PINGAN_LANGUAGE") or os.environ.get("LANG", "")
    return "zh" if wanted.lower().startswith("zh") else "en"


def say(word: str, **values: object) -> str:
    """The sentence in the reader's language."""
    return _WORDS[word][language() == "zh"].format(**values)
