"""`pingan register …` as a person runs it."""

import csv
import os
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from openpyxl import load_workbook

REPOSITORY = Path(__file__).parents[2]


class Register:
    """The command line in a process of its own."""

    def __init__(self, url: str, data: Path) -> None:
        self.data = data
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PINGAN_", "LC_", "LANG"))},
            "PINGAN_DATABASE_URL": url,
            "PINGAN_DATA": str(data),
            "PYTHONUTF8": "1",
        }

    def __call__(self, *arguments: str | Path, fails: bool = False, given: str = "", language: str = "en") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pingan", "register", *map(str, arguments)],
            cwd=REPOSITORY,
            env=self._environ | {"PINGAN_LANGUAGE": language},
            input=given,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        assert "Traceback" not in done.stderr
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout


@pytest.fixture
def pingan_register(postgres_url: str, tmp_path: Path) -> Register:
    return Register(postgres_url, tmp_path / "data")


def test_from_the_sample_out_and_in_again(pingan_register: Register, tmp_path: Path) -> None:
    assert "is loaded" in pingan_register("sample")
    assert "not empty" in pingan_register("sample")
    folder = tmp_path / "out"
    assert "10 tables" in pingan_register("export", folder)
    assert stat.S_IMODE((folder / "people.csv").stat().st_mode) == 0o600
    assert "homes: 0 added, 0 changed, 20 unchanged" in pingan_register("import", folder)
    archive = tmp_path / "register.zip"
    pingan_register("export", archive, "--language", "zh")
    assert "homes：新增 0，更改 0，未变 20" in pingan_register("import", archive, language="zh")


def test_one_workbook_out_and_in_again(pingan_register: Register, tmp_path: Path) -> None:
    pingan_register("sample")
    path = tmp_path / "登记册.xlsx"
    assert "10 tables" in pingan_register("export", path, "--language", "zh")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "homes: 0 added, 0 changed, 20 unchanged" in pingan_register("import", path, "--dry-run")
    book = load_workbook(path)
    book["联系人"]["G5"] = "110"
    book.save(path)
    assert "登记册.xlsx/联系人 第 5 行 电话：“110” 太短" in pingan_register("import", path, fails=True, language="zh")
    assert "登记册.xlsx/联系人, line 5, phone: “110” is too short" in pingan_register("import", path, fails=True)


def test_mistakes_are_listed_by_line(pingan_register: Register, tmp_path: Path) -> None:
    pingan_register("sample")
    path = tmp_path / "people.csv"
    path.write_text("id,home,name,phone\nP101,H001,x,110\nP102,H999,x,\n", encoding="utf-8")
    said = pingan_register("import", path, fails=True)
    assert "people.csv, line 2, phone: “110” is too short" in said
    assert "people.csv, line 3, home: there is no home H999" in said
    assert "2 mistakes; nothing was imported." in said
    assert "people.csv 第 3 行 家庭编号：没有编号为 H999 的家庭" in pingan_register(
        "import", path, fails=True, language="zh"
    )
    assert "cannot be read" in pingan_register("import", tmp_path / "absent.zip", fails=True)


def test_new_devices_passwords_go_to_a_private_file(pingan_register: Register, tmp_path: Path) -> None:
    pingan_register("sample")
    path, passwords = tmp_path / "devices.csv", tmp_path / "passwords.csv"
    path.write_text("id,kind,home\nD1,button,H001\nD2,pendant,H001\n", encoding="utf-8")
    assert "2 devices would get a password" in pingan_register("import", path, "--dry-run")
    assert str(passwords) in pingan_register("import", path, "--passwords-to", passwords)
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600
    with passwords.open(newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == ["id", "D1", "D2"]
    assert "is there already" in pingan_register("import", path, "--passwords-to", passwords, fails=True)
    path.write_text("id,kind,home\nD3,button,H001\n", encoding="utf-8")
    assert "D3 " in pingan_register("import", path)


def test_accounts_and_tokens(pingan_register: Register, postgres_url: str) -> None:
    said = pingan_register("account", "add", "wang", "--role", "operator", "--name", "王芳")
    assert "The password of wang, shown this once: " in said
    pingan_register("account", "add", "li", "--role", "auditor", "--password-stdin", given="correct horse battery\n")
    assert pingan_register("account", "list") == "li\tauditor\t*\tzh\tli\nwang\toperator\t*\tzh\t王芳\n"
    assert "exists already" in pingan_register("account", "add", "wang", "--role", "operator", fails=True)
    assert "12" in pingan_register("account", "password", "li", "--password-stdin", given="short\n", fails=True)
    pingan_register("account", "password", "li")
    pingan_register("account", "close", "li")
    assert "closed" in pingan_register("account", "list")
    assert "no account" in pingan_register("account", "close", "zhao", fails=True)
    token = pingan_register("token", "create", "grafana", "--role", "auditor").split()[-1]
    with psycopg.connect(postgres_url) as connection:
        [(stored,)] = connection.execute("select encode(token_hash, 'hex') from tokens").fetchall()
    assert token not in stored
    pingan_register("token", "end", "grafana")
    assert "no token" in pingan_register("token", "end", "grafana", fails=True)


def test_a_database_that_is_away_is_said_in_words(tmp_path: Path) -> None:
    away = Register("postgresql://127.0.0.1:1/nowhere", tmp_path)
    assert "the database does not answer" in away("account", "list", fails=True)
