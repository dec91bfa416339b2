"""What `pingan doctor` says, in Chinese and in English."""

WORDS: dict[str, dict[str, str]] = {
    "python": {"en": "Python is {version}.", "zh": "Python 版本为 {version}。"},
    "packages": {"en": "All Python packages are there.", "zh": "Python 依赖齐全。"},
    "packages_missing": {"en": "Python packages are missing: {names}.", "zh": "缺少 Python 依赖：{names}。"},
    "mosquitto": {"en": "The broker's program is installed.", "zh": "消息代理 Mosquitto 已安装。"},
    "mosquitto_missing": {"en": "Mosquitto, the broker, is not installed.", "zh": "未安装消息代理 Mosquitto。"},
    "data": {"en": "The data folder {data} can be written.", "zh": "数据文件夹 {data} 可以写入。"},
    "data_missing": {"en": "The data folder {data} is not there yet.", "zh": "数据文件夹 {data} 尚不存在。"},
    "data_closed": {
        "en": "The data folder {data} cannot be written: {why}.",
        "zh": "数据文件夹 {data} 无法写入：{why}。",
    },
    "disk": {"en": "{free} MiB are free on the disk of {folder}.", "zh": "{folder} 所在磁盘剩余 {free} MiB。"},
    "disk_full": {
        "en": "Only {free} MiB are free on the disk of {folder}; below {needed} the database may stop, and no press "
        "can be acknowledged.",
        "zh": "{folder} 所在磁盘仅剩 {free} MiB；低于 {needed} MiB 时数据库可能停止，按键将无法确认。",
    },
    "settings_refused": {"en": "A setting is refused: {why}", "zh": "设置有误：{why}"},
    "port_taken": {"en": "Port {port} is in use by another program.", "zh": "端口 {port} 已被其他程序占用。"},
    "ports": {"en": "The ports that it wants are free.", "zh": "所需端口均空闲。"},
    "supervisor": {"en": "The supervisor runs.", "zh": "监护进程运行中。"},
    "supervisor_missing": {"en": "The platform does not run.", "zh": "平台未运行。"},
    "supervisor_held": {"en": "The supervisor is held by a signal.", "zh": "监护进程被暂停。"},
    "preparing": {"en": "It is not prepared yet: {why}.", "zh": "准备工作尚未完成：{why}。"},
    "processes": {"en": "All {count} processes run and are well.", "zh": "{count} 个进程全部正常。"},
    "process_down": {"en": "{name} does not run: {why}.", "zh": "{name} 未运行：{why}。"},
    "process_waits": {"en": "{name} runs but is not ready: {why}.", "zh": "{name} 已运行但未就绪：{why}。"},
    "process_restless": {
        "en": "{name} was started {count} times. Last reason: {why}.",
        "zh": "{name} 已启动 {count} 次，最近的原因：{why}。",
    },
    "standby": {"en": "Each lane's bridge has a standby.", "zh": "每条接入通道都有备用进程。"},
    "standby_missing": {"en": "{lane} has no standby.", "zh": "{lane} 没有备用进程。"},
    "database": {"en": "The database answers and its schema is current.", "zh": "数据库正常，结构为最新。"},
    "database_away": {"en": "The database does not answer: {why}.", "zh": "数据库没有响应：{why}。"},
    "database_old": {"en": "The database lacks {count} migrations.", "zh": "数据库缺少 {count} 个迁移。"},
    "broker": {"en": "The broker answers on port {port}.", "zh": "消息代理在端口 {port} 上响应正常。"},
    "broker_away": {"en": "The broker does not answer on port {port}.", "zh": "消息代理在端口 {port} 上没有响应。"},
    "broker_refuses": {
        "en": "The broker on port {port} refuses our own password.",
        "zh": "端口 {port} 上的消息代理拒绝了我们自己的密码。",
    },
    "certificates": {
        "en": "All certificates hold for {days} days or more.",
        "zh": "所有证书至少还有 {days} 天有效。",
    },
    "certificate_ends": {
        "en": "{what} expires in {days} days; then devices with certificates are refused.",
        "zh": "{what}将在 {days} 天后到期；之后使用证书的设备将被拒绝。",
    },
    "certificate_authority": {"en": "The authority's certificate", "zh": "颁发机构的证书"},
    "certificate_server": {"en": "The broker's certificate", "zh": "消息代理的证书"},
    "certificate_revoked": {"en": "The list of revoked certificates", "zh": "证书吊销列表"},
    "certificate_device": {"en": "A device's certificate", "zh": "某台设备的证书"},
    "clock": {"en": "The wall clock has not been moved.", "zh": "系统时钟未被拨动。"},
    "clock_moved": {
        "en": "The wall clock was moved by {seconds} s since the start. Deadlines are kept by another clock and hold; "
        "the times shown are those of before until a restart.",
        "zh": "启动以来系统时钟被拨动了 {seconds} 秒。各项时限不受影响；重启之前，显示的时间仍按原来的时钟。",
    },
    "console": {"en": "The console's page answers.", "zh": "值班台页面正常。"},
    "console_away": {"en": "The console's page does not say that it is well.", "zh": "值班台页面未报告正常。"},
    "sim": {
        "en": "The simulated neighbourhood is on: all calls go to simulated phones.",
        "zh": "模拟社区已开启：所有电话都打给模拟号码。",
    },
    "sim_off": {"en": "The simulated neighbourhood is off.", "zh": "模拟社区已关闭。"},
    "phones_missing": {
        "en": "No telephone provider is set and the simulator is off: nobody can be called.",
        "zh": "未设置电话服务商，模拟社区也已关闭：无法拨打任何电话。",
    },
    "orphan": {
        "en": "{folder} belongs to a data folder that is gone: {data}. If it will not come back:",
        "zh": "{folder} 所属的数据文件夹 {data} 已不存在。若不再需要：",
    },
    "log": {"en": "see {path}", "zh": "请查看 {path}"},
    "mend": {"en": "      mend it:  {command}", "zh": "      处理：{command}"},
    "well": {"en": "Nothing is wrong.", "zh": "一切正常。"},
    "wrong": {"en": "{count} things are wrong.", "zh": "共有 {count} 处问题。"},
}
