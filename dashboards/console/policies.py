"""Who is asked when: every policy in plain sentences, the rules, a dry run, and an editor for administrators."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Form, Path, Query, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from care.principals import Principal
from dispatch import books, explaining
from dispatch import policy_sentences as sentences
from dispatch.api.policies import may_save
from dispatch.book import CAUSES, CHANNELS, DANGER, PROMISES, REQUIRED, ROLES, Book, Fault, faults
from dispatch.policy import Policy
from dispatch.policy_words import lasting, reason, reasons, said
from pingan.clock import Clock
from pingan.database import Connection, Database
from pingan.hours import WEEKDAYS
from pingan.problem import Problem

from . import policy_form
from .access import person
from .page import Pages

Me = Annotated[Principal, Depends(person)]
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,40}$")]

FIELDS_MAX = 3_000
TEXT = 200
WHY = 1_000


def router(pages: Pages, database: Database, clock: Clock) -> APIRouter:
    routes = APIRouter(prefix="/policies", include_in_schema=False)

    def words(request: Request) -> dict[str, Any]:
        language = pages.reader(request).language
        return {
            "say": lambda key, **values: said(key, language, **values),
            "sentences_of": lambda policy: sentences.steps(policy, language),
            "rule_said": lambda rule, number, policies: sentences.rule(rule, number, language, policies),
            "titled": lambda name, titles: sentences.titled(name, titles, language),
            "title_of": lambda name, policies: sentences.title(name, policies, language),
            "reason": lambda why: reason(why, language),
            "reasons": lambda whys: reasons(whys, language),
            "lasting": lambda seconds: lasting(seconds, language),
            "count": sentences.count,
            "chosen_by": lambda run: sentences.chosen_by(run, language),
            "fault_said": lambda fault, where=False: sentences.fault(fault, language, where=where),
        }

    def edits(me: Principal) -> bool:
        return me.role == "administrator" and me.area is None

    def editor(me: Me) -> Principal:
        may_save(me)
        return me

    Editor = Annotated[Principal, Depends(editor)]

    async def tried(
        request: Request,
        connection: Connection,
        me: Principal,
        book: Book,
        asked: dict[str, str],
        draft: Policy | None = None,
    ) -> dict[str, Any]:
        """The timeline of what was asked about, or in words why there is none."""
        language = pages.reader(request).language
        shown: dict[str, Any] = {"asked": asked, "run": None, "no_run": None}
        if not asked["whose"]:
            return shown
        try:
            home = await explaining.home_named(connection, asked["whose"], me.area)
            local = await explaining.home_zone(connection, home, pages.zone, me.area)
            at = explaining.moment(asked["at"], clock.now().astimezone(local))
            cause = asked["cause"] if asked["cause"] in CAUSES else "sos"
            shown["run"] = await explaining.explain(connection, book, home, cause, at, pages.zone, me.area, draft)
        except explaining.Unknown:
            shown["no_run"] = said("unknown", language, id=asked["whose"])
        except explaining.BadTime:
            shown["no_run"] = said("bad_time", language, text=asked["at"])
        return shown

    @routes.get("")
    async def show(
        request: Request,
        me: Me,
        version: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
        saved: Annotated[int | None, Query()] = None,
        whose: Annotated[str, Query(max_length=TEXT)] = "",
        cause: Annotated[str, Query(max_length=TEXT)] = "sos",
        at: Annotated[str, Query(max_length=TEXT)] = "",
    ) -> Response:
        async with database.connection() as connection:
            holds = await books.current(connection)
            book = holds if version is None else await books.version(connection, version)
            if book is None:
                raise Problem(404, "not_found", f"there is no version {version}")
            versions = await books.versions(connection)
            asked = {"whose": whose.replace("\0", "").strip(), "cause": cause, "at": at.strip()}
            run = await tried(request, connection, me, book, asked)
        return pages.render(
            request, "policies.html", book=book, holds=holds, versions=versions, edits=edits(me), saved=saved,
            required=REQUIRED, causes=CAUSES, old=version is not None and version != holds.version, **run,
            **words(request),
        )  # fmt: skip

    @routes.post("/restore")
    async def restore(
        request: Request, me: Editor, version: Annotated[int, Form(ge=0)], seen: Annotated[int, Form(ge=0)]
    ) -> Response:
        """An older version, as a new one."""
        async with database.connection() as connection:
            book = await books.version(connection, version)
        if book is None:
            raise Problem(404, "not_found", f"there is no version {version}")
        why = said("restored", pages.reader(request).language, version=version)
        saved, wrong, meanwhile = await keep(msgspec.structs.replace(book, version=seen), me, why)
        if saved is None:
            detail = f"version {meanwhile} holds by now" if meanwhile is not None else sentences.fault(wrong[0], "en")
            raise Problem(409, "not_restored", detail)
        return _done(saved)

    async def keep(book: Book, me: Principal, why: str) -> tuple[Book | None, Sequence[Fault], int | None]:
        """Save it; or its faults, or the version that holds by now."""
        try:
            async with database.transaction() as connection:
                return await books.save(connection, book, me.name, why, clock.now()), (), None
        except books.Faulty as faulty:
            return None, faulty.faults, None
        except books.SavedMeanwhile as other:
            return None, (), other.version

    async def current() -> Book:
        async with database.connection() as connection:
            return await books.current(connection)

    def form_page(request: Request, template: str, status: int, book: Book, /, **values: Any) -> Response:
        told = {
            "why": "", "wrong": policy_form.Wrong(), "meanwhile": None, "why_missing": False, "run": None,
            "no_run": None, "asked": {"whose": "", "cause": "sos", "at": ""}, **values,
        }  # fmt: skip
        return pages.render(request, template, status, book=book, causes=CAUSES, **told, **words(request))

    def policy_page(
        request: Request, status: int, book: Book, at: str, draft: policy_form.PolicyDraft, /, **values: Any
    ) -> Response:
        return form_page(
            request, "policy_edit.html", status, book, at=at, draft=draft, who=policy_form.WHO, channels=CHANNELS,
            roles=ROLES, promises=PROMISES, required=REQUIRED, **values,
        )  # fmt: skip

    @routes.get("/edit/{name}")
    async def edit(request: Request, me: Editor, name: Name, copy: bool = False) -> Response:
        book = await current()
        if name not in book.policies:
            raise Problem(404, "not_found", f"there is no policy {name}")
        draft = policy_form.draft_of(book.policies[name])
        if copy:
            draft.name = draft.title = draft.title_en = ""
        return policy_page(request, 200, book, "" if copy else name, draft)

    async def write(request: Request, me: Principal, at: str) -> Response:
        """One press of a button of the editor. `at`: the policy that is edited; empty: a new one."""
        async with request.form(max_fields=FIELDS_MAX) as form:
            draft, more = policy_form.read_policy(form), _beside(form)
        draft.name = at or draft.name
        book, do = await current(), more["do"]
        draft.steps = policy_form.rearranged(draft.steps, do, policy_form.new_step)
        shown = {"why": more["why"], "asked": more["asked"]}
        if do == "delete" and at not in REQUIRED:
            left = {name: policy for name, policy in book.policies.items() if name != at}
            return await finish(request, me, msgspec.structs.replace(book, policies=left), at, draft, more)
        policy, wrong = policy_form.policy_of(draft)
        if policy is None:
            return policy_page(request, 422 if do == "save" else 200, book, at, draft, wrong=_at(wrong, draft), **shown)
        changed = msgspec.structs.replace(book, policies={**book.policies, draft.name: policy})
        if not at and draft.name in book.policies:
            taken = [Fault("name_taken", draft.name, field="name")]
            return policy_page(request, 422, book, at, draft, wrong=_at(taken, draft), **shown)
        if do == "save":
            return await finish(request, me, changed, at, draft, more)
        # Of another's faults this page says nothing: they were there before.
        found = [fault for fault in faults(changed) if fault.policy == draft.name] if do in ("try", "check") else []
        if do == "try" and policy.steps:
            async with database.connection() as connection:
                shown |= await tried(request, connection, me, changed, more["asked"], policy)
        return policy_page(request, 200, book, at, draft, wrong=_at(found, draft), **shown)

    async def finish(
        request: Request, me: Principal, book: Book, at: str, draft: policy_form.PolicyDraft, more: dict[str, Any]
    ) -> Response:
        shown = {"why": more["why"], "asked": more["asked"]}
        if not more["why"]:
            return policy_page(request, 422, book, at, draft, why_missing=True, **shown)
        saved, wrong, meanwhile = await keep(msgspec.structs.replace(book, version=more["seen"]), me, more["why"])
        if saved is not None:
            return _done(saved)
        holds = await current()
        status = 422 if wrong else 409
        return policy_page(request, status, holds, at, draft, wrong=_at(wrong, draft), meanwhile=meanwhile, **shown)

    @routes.post("/edit")
    async def write_new(request: Request, me: Editor) -> Response:
        return await write(request, me, "")

    @routes.post("/edit/{name}")
    async def write_known(request: Request, me: Editor, name: Name) -> Response:
        if name not in (await current()).policies:
            raise Problem(404, "not_found", f"there is no policy {name}")
        return await write(request, me, name)

    def rules_page(
        request: Request, status: int, book: Book, rows: list[policy_form.Row], /, **values: Any
    ) -> Response:
        return form_page(
            request, "policy_rules.html", status, book, rows=rows, weekdays=WEEKDAYS,
            **values,
        )  # fmt: skip

    @routes.get("/rules")
    async def rules(request: Request, me: Editor) -> Response:
        book = await current()
        return rules_page(request, 200, book, policy_form.rule_rows(book.rules))

    @routes.post("/rules")
    async def write_rules(request: Request, me: Editor) -> Response:
        async with request.form(max_fields=FIELDS_MAX) as form:
            rows, more = policy_form.read_rules(form), _beside(form)
        book, do = await current(), more["do"]
        rows = policy_form.rearranged(rows, do, lambda: policy_form.new_rule(DANGER))
        changed = msgspec.structs.replace(book, rules=policy_form.rules_of(rows))
        shown: dict[str, Any] = {"why": more["why"], "asked": more["asked"]}
        if do == "save" and not more["why"]:
            return rules_page(request, 422, book, rows, why_missing=True, **shown)
        if do == "save":
            saved, wrong, meanwhile = await keep(
                msgspec.structs.replace(changed, version=more["seen"]), me, more["why"]
            )
            if saved is not None:
                return _done(saved)
            placed = policy_form.placed(wrong, None)
            status = 422 if wrong else 409
            return rules_page(request, status, await current(), rows, wrong=placed, meanwhile=meanwhile, **shown)
        found = [fault for fault in faults(changed) if fault.rule is not None] if do in ("try", "check") else []
        if do == "try" and not any(fault.name == "unknown_policy" for fault in found):
            async with database.connection() as connection:
                shown |= await tried(request, connection, me, changed, more["asked"])
        return rules_page(request, 200, book, rows, wrong=policy_form.placed(found, None), **shown)

    return routes


def _beside(form: FormData) -> dict[str, Any]:
    """What every editor's form has beside its rows."""

    def text(name: str, limit: int = TEXT) -> str:
        return str(form.get(name, "")).replace("\0", "").strip()[:limit]

    seen = text("seen")
    return {
        "do": text("do"),
        "why": text("why", WHY),
        "seen": int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 10 else 0,
        "asked": {"whose": text("whose"), "cause": text("cause") or "sos", "at": text("at")},
    }


def _at(wrong: Sequence[Fault], draft: policy_form.PolicyDraft) -> policy_form.Wrong:
    return policy_form.placed(wrong, draft.name)


def _done(saved: Book) -> Response:
    return RedirectResponse(f"/policies?saved={saved.version}", 303)
