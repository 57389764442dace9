"""The OpenAPI document beside what is answered."""

from tests.pvfault_api.lake import Plant
from tests.pvfault_api.plant import DAY, DEVICES, good_date, write

ASKED = {
    "/devices": "/devices",
    "/devices/{device}": f"/devices/{DEVICES[0]}",
    "/devices/{device}/days": f"/devices/{DEVICES[0]}/days",
    "/devices/{device}/predictions": f"/devices/{DEVICES[0]}/predictions?first={DAY}&last={DAY}",
    "/devices/{device}/days/{day}": f"/devices/{DEVICES[0]}/days/{DAY}",
    "/devices/{device}/readings": f"/devices/{DEVICES[0]}/readings?start={DAY}T12:00:00Z&end={DAY}T13:00:00Z",
    "/devices/{device}/days/{day}/lineage": f"/devices/{DEVICES[0]}/days/{DAY}/lineage",
    "/query-results": f"/query-results?deviceID={DEVICES[0]}&first={DAY}&last={DAY}",
    "/fleet": "/fleet",
    "/fleet/devices": "/fleet/devices",
    "/fleet/days": "/fleet/days",
    "/about": "/about",
    "/dates": "/dates",
    "/dates/{day}/checks": f"/dates/{DAY}/checks",
    "/alarms": "/alarms",
    "/alarms/{number}": "/alarms/1",
}

OF_DATES = ("/dates", "/dates/{day}/checks")
OF_ALARMS = ("/alarms", "/alarms/{number}")
PICTURE = "/devices/{device}/windows/{window_start}/scalogram.png"


def shape(value):
    """Names and kinds of what is in a document; the rows of a list are like its last one, and null is like anything."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[-1])] if value else []
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


def alike(one, other):
    if type(None) in (one, other):
        return True
    if isinstance(one, dict):
        # FastAPI leaves nulls out of examples.
        there = [name for name in other if name in one or other[name] is not type(None)]
        return list(one) == there and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return not one or not other or alike(one[0], other[0])
    return one == other


def require_alike(client, path):
    """Compare the example of a question with an answer to it."""
    answers = client.get("/openapi.json").json()["paths"][path]["get"]["responses"]
    example, answer = answers["200"]["content"]["application/json"]["example"], client.get(ASKED[path])
    while answer.status_code == 202:  # what takes longer is asked for again
        assert alike(shape(answers["202"]["content"]["application/json"]["example"]), shape(answer.json()))
        answer = client.get(ASKED[path])
    assert answer.status_code == 200, answer.text
    assert alike(shape(example), shape(answer.json())), (shape(example), shape(answer.json()))
    if "text/csv" in answers["200"]["content"]:
        head = client.get(ASKED[path], headers={"Accept": "text/csv"}).text.splitlines()[0]
        assert answers["200"]["content"]["text/csv"]["example"].splitlines()[0] == head
    assert all("example" in answers[status]["content"]["application/problem+json"] for status in ("4XX", "422", "5XX"))


def test_each_question_has_an_example_like_its_answer(settings, client):
    rows = good_date(settings)
    settings.model.write_bytes(b"the weights")
    write(settings, rows)
    sites = "".join(f"{device},600,10,Ancona,Europe/Rome\n" for device in DEVICES)
    settings.registry.write_text(f"deviceID,rated_voltage,rated_current,site,timezone\n{sites}")
    paths = client.get("/openapi.json").json()["paths"]
    assert {path for path in paths if "get" in paths[path]} == {*ASKED, PICTURE}
    for path in ASKED.keys() - {*OF_DATES, *OF_ALARMS}:
        require_alike(client, path)


def test_the_states_of_dates_have_an_example_like_the_answer(settings, client):
    Plant(settings).make(DAY)
    for path in OF_DATES:
        require_alike(client, path)
