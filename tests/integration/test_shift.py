"""The telephones of a shift, set on the console; and a home spoken with by one key of the incident's page."""

from dispatch.desk import Desk
from pingan.messages import reported_alarm_id
from tests.integration.web_support import site

OWN, FALLBACK = "138 0000 0901", "0750-3000000"


async def test_a_shift_begins_ends_and_its_telephone_rings_first(postgres_url: str) -> None:
    async with site(postgres_url) as web:
        await web.furnish()
        database, clock = web.process.database, web.process.clock
        async with database.connection() as connection:
            await connection.execute(
                "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)"
                " values (%(id)s, 'sos', 'H001', 'H001-button', %(now)s, %(now)s, %(now)s, false, '{}')",
                {"id": reported_alarm_id("H001-button", "e1"), "now": clock.now()},
            )
        operator, elsewhere = await web.signed_in("operator"), await web.signed_in("operator", "440704")
        auditor, machine = await web.signed_in("auditor"), await web.machine("operator")
        async with operator, elsewhere, auditor, machine:
            assert await Desk(database, clock).take_alarms() == ["H001"]
            page = (await operator.get("/incidents/1")).text
            assert 'data-act="call" data-key="K"' in page
            assert "call_both" not in page, "nobody goes yet"
            json = {"accept": "application/json"}
            refused = (await operator.post("/incidents/1/call", headers=json)).json()
            assert (refused["refused"], refused["name"]) == (True, "no_desk_phone")
            api = "/api/v1/incidents/1/call"
            wrong = await machine.post(api)
            assert (wrong.status_code, wrong.json()["title"]) == (409, "no_desk_phone")
            assert "begin a shift" in wrong.json()["detail"]
            assert (await auditor.post(api)).status_code == 403
            assert (await elsewhere.post(api)).status_code == 404
            assert (await web.client().post(api)).status_code == 401
            assert (await auditor.get("/shift")).status_code == 403
            assert (await elsewhere.post("/incidents/1/call")).status_code == 404
            wrong = await operator.post("/shift", data={"phone": "12345", "fallback": FALLBACK})
            assert wrong.status_code == 422
            assert "12345" in wrong.text, "what was typed stays"
            assert (await operator.post("/shift", data={"phone": OWN, "hours": "99"})).status_code == 422
            assert (await operator.post("/shift", data={"phone": OWN, "fallback": FALLBACK})).status_code == 303
            assert OWN in (await operator.get("/shift?said=begun")).text
            nobody = await machine.post("/api/v1/incidents/1/call-both")
            assert (nobody.status_code, nobody.json()["title"]) == (409, "nobody_goes")
            by_name = {"helper": {"name": "过路人"}}
            assert (await machine.post("/api/v1/incidents/1/accept", json=by_name)).status_code == 200
            unknown = (await machine.post("/api/v1/incidents/1/call-both")).json()
            assert (unknown["title"], unknown["who"]) == ("no_helper_phone", "过路人")
            told = (await operator.post(api)).json()
            assert (told["decision"], told["incident"]["id"]) == ("calling_home", 1)
            async with database.connection() as connection:
                query = "select address, body->'phones' as phones from sends where purpose = 'bridge'"
                (row,) = await (await connection.execute(query)).fetchall()
            assert row == {"address": "+8613800000901", "phones": ["+8613800000901", "+867503000000"]}
            again = (await operator.post("/incidents/1/call_both", headers=json)).json()
            assert (again["refused"], again["name"]) == (True, "already_calling")
            assert (await operator.post("/shift/end")).status_code == 303
            assert OWN not in (await operator.get("/shift?said=ended")).text
