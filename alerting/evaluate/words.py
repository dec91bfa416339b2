"""What `pingan evaluate` says to people, in Chinese and English."""

from collections.abc import Mapping

from pingan.local.words import language

WORDS: Mapping[str, tuple[str, str]] = {
    "falls": (
        "跌倒检测：在真人录制数据上运行正式检测器，按数据集、佩戴位置与年龄给出数字",
        "falls: the production detectors on recordings of people, by set, position and age",
    ),
    "homes": (
        "静默检测：按时间顺序走完真实住户的记录，并模拟倒地后的静默",
        "silence: the production detectors through recordings of homes, and simulated collapses",
    ),
    "index": ("试验索引（CSV）", "the index of the trials (CSV)"),
    "npz": ("样本文件（npz，50 Hz，int16，每克 2000）", "their samples (npz: 50 Hz, int16, 2000 a g)"),
    "timestamps": (
        "WEDA 跌倒的起止时间（默认：与索引同目录）",
        "when WEDA's falls began and ended (default: the file beside the index)",
    ),
    "train_index": ("先在这些试验上训练，再在 --index 上测试", "train on these trials, and test on --index"),
    "train_npz": ("它们的样本（默认：--npz）", "their samples (default: --npz)"),
    "folds": ("按受试者交叉验证：每折重新训练", "cross-validate by subject, training anew for each fold"),
    "only": (
        "只测试这些数据集与位置，例如 weda-wrist,sisfall-waist",
        "test only these, such as weda-wrist,sisfall-waist",
    ),
    "train_only": ("只在这些数据集与位置上训练", "train only on these"),
    "clip_g": ("把样本限制在此量程内（g）", "clip the samples to what a sensor of so many g measures"),
    "rate_hz": ("改为此采样率", "resample to this rate"),
    "every": ("只取每 N 个试验（试用）", "only every Nth trial (to try it out)"),
    "seed": ("训练与分组的随机种子", "seed of training and folds"),
    "jobs": (
        "并行进程数（默认：试验多时每核一个）",
        "how many processes work at once (default: one a core, where trials are many)",
    ),
    "json": ("输出 JSON", "print JSON"),
    "out": ("同时把 JSON 写入文件", "write the JSON to a file as well"),
    "alarms": ("把每条报警（含编号）写入此文件（JSON）", "write every alarm with its id to this file (JSON)"),
    "activity": (
        "住户活动记录（CSV 或 CSV.gz：id, t, location）",
        "the homes' activity (CSV or CSV.gz: id, t, location)",
    ),
    "houses": ("single_residents 目录", "the folder of the single residents' houses"),
    "casas": ("CASAS 住户文件", "the CASAS home's file"),
    "ceiling": ("每户的静默上限（小时）", "the ceiling of every home's silence, hours"),
    "floor": ("每户的静默下限（小时）", "its floor, hours"),
    "version": (
        "静默检测器的版本（默认：正式运行的）",
        "which version of the silence detector (default: the live one)",
    ),
    "tick": ("时钟步长（秒）", "seconds from tick to tick"),
    "per_hour": ("每户每个钟点模拟的倒地次数", "simulated collapses for each home and hour of the day"),
    "ids": ("只取这些住户", "only these homes"),
    "days": ("只取每户最初的若干天", "only the first so many days of each home"),
    "silence": ("让所有住户同时静默这么多小时", "silence every home at once for so many hours"),
    "at": ("从此刻开始静默（ISO 8601；无时区者按中国时间）", "from this moment (ISO 8601; China's if it has no zone)"),
    "bad": ("无法评估：{reason}", "cannot be evaluated: {reason}"),
    "no_training": (
        "训练需要 lightgbm：.venv/bin/pip install 'pingan[train]'",
        "training needs lightgbm: .venv/bin/pip install 'pingan[train]'",
    ),
    "seen": (
        "注意：随平台提供的模型正是用其中 {count} 名受试者训练的，以下数字偏好；"
        "诚实的数字用 --folds 10 或 --train-index",
        "MIND: the shipped model was trained on {count} of these subjects, so these figures flatter it;"
        " honest ones come with --folds 10 or --train-index",
    ),
    "shared_subjects": (
        "注意：{count} 名受试者同时在训练数据与测试数据中",
        "MIND: {count} subjects are in the training data and in the test data",
    ),
    "shipped": ("模型：随平台提供的", "model: the shipped one"),
    "trained_on": (
        "模型：在 {index} 的 {trials} 个试验上训练",
        "model: trained on {trials} trials of {index}",
    ),
    "trained_folds": (
        "模型：按受试者 {folds} 折交叉验证，每折重新训练，阈值只取自训练部分",
        "model: {folds} folds by subject, trained anew for each, thresholds from the training folds only",
    ),
    "how_falls": (
        "每个试验：1 秒一段的 accel 读数（{rate:g} Hz）与每秒一个时刻进入 Partition；"
        "试验前后设备不发言，之后时钟再走 {after} 秒",
        "each trial: accel readings of 1 s ({rate:g} Hz) and a tick a second into a Partition; before and after it the"
        " device says nothing, and the clock goes on for {after} s",
    ),
    "how_homes": (
        "所有住户在同一时钟上，每 {tick:g} 秒一个时刻；前 {days} 天只学习；倒地由快照恢复后模拟，最多 {patience} 小时",
        "all homes on one clock, a tick every {tick:g} s; the first {days} days only teach; collapses from restored"
        " snapshots, {patience} h at most",
    ),
    "deaf": ("整片区域听不到的时间：{hours:.1f} 小时", "hours in which a whole area counted as unheard: {hours:.1f}"),
    "failed": (
        "注意：检测器出错 {count} 次（{what}），以下数字不可信",
        "MIND: a detector failed {count} times ({what}); the figures are worth less",
    ),
    "fall_heads": (
        "数据集|位置|年龄|人数|跌倒/日常|SE|SP|F1|误报/小时|误报/人周|SE@≤1/h|冲击→疑似|→定论",
        "set|position|age|subjects|falls/daily|SE|SP|F1|FA per hour|per person-week|SE at ≤1 FA/h|impact→suspected"
        "|→settled",
    ),
    "home_heads": (
        "住户|户月|误报|每户月误报|询问/户月|倒地|中位/均值/P90 小时|从未报警|门后中位/均值/P90",
        "homes|home-months|false alerts|a home-month|asked a home-month|collapses|hours to detect median/mean/p90"
        "|never raised|after a door median/mean/p90",
    ),
    "hour_heads": ("倒地钟点|次数|中位|均值|P90", "hour of collapse|count|median|mean|p90"),
    "everything": (
        "由录制数据文件夹重算 docs/detection.md 的全部数字",
        "every figure of docs/detection.md anew, from the folder of recordings",
    ),
    "folder": ("录制数据文件夹", "the folder of recordings"),
    "page": ("写入表格的页面；JSON 写在旁边", "the page into which the table is written; its JSON beside it"),
    "across": ("手腕：在一个数据集上训练，在另一个上测试", "Wrist: trained on one set, tested on the other"),
    "trained_across": (
        "模型：只在另一个数据集的手腕试验上训练，阈值也只取自其中",
        "model: trained on the wrist trials of the other set alone, its thresholds too",
    ),
    "over_folds": ("跌倒：按受试者交叉验证", "Falls: cross-validated by subject"),
    "over_folds_poor": (
        "同样的腰部数据，限制到 ±2 g、25 Hz",
        "The same waist traces, clipped to ±2 g and resampled to 25 Hz",
    ),
    "tihm": ("静默：TIHM 的 25 户", "Silence: TIHM's 25 homes"),
    "tihm_silent": ("TIHM：所有住户同时静默", "TIHM: all homes silent at once"),
    "single_houses": ("静默：五户独居住宅", "Silence: the five houses of single residents"),
    "casas_home": ("静默：一户 CASAS 住宅", "Silence: a CASAS home"),
    "all": ("全部", "all"),
    "younger": ("较年轻", "younger"),
    "older": ("年长", "older"),
    "silent_together": (
        "从 {at} 起所有住户静默 {hours:g} 小时：其间针对人的报警 {person} 条，整片区域听不到的报警 {areas} 条"
        "（{known} 小时后得知），单户（{during}）；之后 {after:g} 小时内单户（{later}）",
        "every home silent for {hours:g} h from {at}: meanwhile {person} alarms about people, {areas} of a whole area"
        " of which nothing is heard (known after {known} h), of single homes: {during}; in the {after:g} h after it:"
        " {later}",
    ),
}


def say(key: str, **values: object) -> str:
    """The sentence in the language of the terminal."""
    return WORDS[key][0 if language() == "zh" else 1].format(**values)
