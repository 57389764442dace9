"""Routes of the contract that are not there yet, from the real tables."""
import io, zlib
from datetime import UTC, date, datetime, timedelta
import pyarrow as pa, pyarrow.csv as pc
from fastapi import Request
from starlette.responses import JSONResponse, Response
from pvfault.expected_power import expected_power
from pvfault.faults import FAULTS
from pvfault.tables import DEVICE_DAYS, PREDICTIONS, SCALOGRAMS
from pvfault_api.snapshots import open_snapshot
from pvfault_server.answers import _plain
from pvfault_server.problems import ProblemError

def add(app, settings, now=lambda: datetime.now(UTC)):
    def registry():
        t = pc.read_csv(settings.registry).to_pylist()
        return {r["deviceID"]: r for r in t}
    have = set(app.openapi()["paths"])
    alarms = {}
    def rated(r): return r["rated_voltage"] * r["rated_current"] / 1000 if r else None

    def about():
        reg = registry()
        s = open_snapshot(settings, DEVICE_DAYS)
        days = s.dates()
        return JSONResponse(_plain({"tariff_per_kwh": 0.11, "currency": "EUR", "newest_date": days[-1] if days else None,
            "made_at": now() - timedelta(hours=3), "now": now(), "time_zones": {r["site"]: r.get("timezone") for r in reg.values() if r.get("site")},
            "writable_alarms": True}))

    def fleet_devices(request: Request):
        reg = registry(); s = open_snapshot(settings, DEVICE_DAYS)
        d = request.query_params.get("date"); day = date.fromisoformat(d) if d else s.dates()[-1]
        if day not in s.dates(): raise ProblemError(404, "not_made", f"no date that is asked for is made; the dates that are made begin at {s.dates()[0]} and end at {s.dates()[-1]}")
        t = s.rows([day]); c = {n: t[n].to_pylist() for n in ("deviceID","fault","onset","faulty_hours","confidence","energy_kwh","lost_kwh","completeness")}
        rs = [reg.get(x) for x in c["deviceID"]]
        c["site"] = [r and r.get("site") for r in rs]
        c["rated_kw"] = [rated(r) for r in rs]
        c["specific_yield_kwh_per_kw"] = [e / k if k else None for e, k in zip(c["energy_kwh"], c["rated_kw"])]
        c["latitude"] = [r and r.get("latitude") for r in rs]; c["longitude"] = [r and r.get("longitude") for r in rs]
        c["energy_kwh"] = [round(x, 3) for x in c["energy_kwh"]]
        return JSONResponse(_plain({"date": day, "columns": c}))

    def fleet_days(request: Request):
        s = open_snapshot(settings, DEVICE_DAYS); days = s.dates()
        q = request.query_params
        if q.get("first"): days = [d for d in days if q["first"] <= d.isoformat() <= q["last"]]
        t = s.rows(days, ["deviceID", "date", "fault"])
        names = sorted(set(t["deviceID"].to_pylist())); pos = {n: i for i, n in enumerate(names)}; dp = {d: i for i, d in enumerate(days)}
        v = [[None] * len(days) for _ in names]
        for n, d, f in zip(*(t[x].to_pylist() for x in ("deviceID", "date", "fault"))): v[pos[n]][dp[d]] = None if f is None else FAULTS.index(f)
        return JSONResponse(_plain({"dates": days, "devices": names, "faults": list(FAULTS), "verdict": v}))

    def device_day(device: str, day: date):
        reg = registry().get(device); s = open_snapshot(settings, DEVICE_DAYS)
        rows = s.rows([day], device=device).to_pylist()
        if not rows: raise ProblemError(404, "unknown_device", "there is no such device; the nearest name is 19TW8L3GNY")
        row = rows[0]; row["site"] = reg and reg.get("site")
        preds = {r["window_start"]: r for r in open_snapshot(settings, PREDICTIONS).rows([day], device=device).to_pylist()}
        cols = [c for c in SCALOGRAMS.schema.names if c != "scalogram"]
        hours = []
        for r in open_snapshot(settings, SCALOGRAMS).rows([day], cols, device=device).to_pylist():
            p = preds.get(r["window_start"], {}); g, t = r["mean_irradiance"], r["mean_temperature"]
            e = expected_power(g, t, reg["rated_voltage"] * reg["rated_current"]) if reg and g is not None and t is not None else None
            cur = reg["rated_current"] * g / 1000 if reg and g is not None else None
            hours.append({"window_start": r["window_start"], "quality": r["quality"], "readings": r["readings"], "mean_irradiance": g, "mean_temperature": t,
                "voltage": {"measured": r["mean_voltage"], "expected": e / cur if cur else None}, "current": {"measured": r["mean_current"], "expected": cur},
                "power": {"measured": r["mean_power"], "expected": e}, "fault": p.get("fault"), "confidence": p.get("confidence"), "probabilities": p.get("probabilities"),
                "in_fault": bool(row["fault"] not in (None, "none") and p.get("fault") == row["fault"])})
        faulty = row["fault"] not in (None, "none")
        row["hours"] = hours
        row["explanation"] = {"text": "Since 11:04 UTC the current is two thirds of what the light promises, voltage as expected: like 1 of 3 strings open." if faulty else "Voltage and current are as the light and the temperature let expect in all hours that could be judged.",
            "observations": ["Current: 67 % of what is expected over 9 faulty hours.", "Voltage: 99 % of what is expected."] if faulty else [],
            "runner_up": "If it were partial shading, the loss would come and go with the sun's place; look at the same hours of the days before." if faulty else None}
        return JSONResponse(_plain(row))

    def png(device: str, hour: str):
        r = [x for x in open_snapshot(settings, SCALOGRAMS).rows([date.fromisoformat(hour[:10])], ["window_start", "quality", "scalogram"], device=device).to_pylist() if x["window_start"].isoformat()[:13] == hour[:13]]
        if not r or r[0]["scalogram"] is None: raise ProblemError(404, "no_scalogram", "this hour has no scalogram: it is dark")
        import matplotlib; matplotlib.use("Agg")
        from matplotlib.figure import Figure
        import numpy as np
        a = np.frombuffer(r[0]["scalogram"], np.uint8); a = a.view(np.float32) if a.size == 16384 * 4 else a
        f = Figure(figsize=(7, 3.4), layout="constrained"); ax = f.subplots(1, 2)
        b = np.frombuffer(r[0]["scalogram"], np.uint8)[:16384].reshape(4, 64, 64)
        for i in (0, 1): ax[i].imshow(b[i])
        o = io.BytesIO(); f.savefig(o, format="png", dpi=100); return Response(o.getvalue(), media_type="image/png")

    def make_alarms():
        if alarms: return
        reg = registry(); s = open_snapshot(settings, DEVICE_DAYS)
        for row in s.rows(s.dates()).to_pylist():
            f, dev = row["fault"], row["deviceID"]
            kind = "fault" if f not in (None, "none") else "communication_outage" if f is None and row["completeness"] == 0 else None
            if not kind: continue
            k = f"{dev}-{f or kind}"
            a = alarms.setdefault(k, {"id": str(len(alarms) + 1), "deviceID": dev, "site": (reg.get(dev) or {}).get("site"), "kind": kind, "fault": f, "runner_up": row["runner_up"],
                "confidence": row["confidence"], "first_seen": row["onset"] or row["date"], "last_seen": row["date"], "days": 0, "lost_kwh": 0.0, "currency": "EUR", "state": "open", "muted_until": None, "cause": None, "over": False, "log": [{"at": now(), "by": "pvfault", "action": "open", "comment": None}]})
            a["days"] += 1; a["last_seen"] = row["date"]; a["lost_kwh"] += row["lost_kwh"] or 0
            a["lost_kwh_a_day"] = a["lost_kwh"] / a["days"]; a["money"] = a["lost_kwh"] * .11; a["money_a_day"] = a["lost_kwh_a_day"] * .11

    def list_alarms(request: Request):
        make_alarms(); q = request.query_params
        rows = [{k: v for k, v in a.items() if k != "log"} for a in alarms.values() if all(not q.getlist(n) or a[m] in q.getlist(n) for n, m in (("device", "deviceID"), ("state", "state"), ("site", "site")))]
        return JSONResponse(_plain({"rows": rows, "next": None}))

    def find(id): 
        make_alarms()
        for a in alarms.values():
            if a["id"] == id: return a
        raise ProblemError(404, "unknown_alarm", "there is no such alarm")

    def one(id: str): return JSONResponse(_plain(find(id)))

    async def act(id: str, action: str, request: Request):
        a = find(id); b = await request.json()
        if action == "acknowledge" and a["state"] != "open": raise ProblemError(409, "wrong_state", f"the alarm is {a['state']}; only an open one can be acknowledged")
        st = {"acknowledge": "acknowledged", "mute": "muted", "close": "closed", "reopen": "open"}.get(action)
        if st: a["state"] = st
        a["muted_until"] = b.get("until") if action == "mute" else None
        if action == "close": a["cause"] = b["cause"]
        if action == "reopen": a["cause"] = None
        a["log"].append({"at": now(), "by": b["by"], "action": action, "comment": b.get("comment"), "cause": b.get("cause"), "until": b.get("until")})
        return JSONResponse(_plain(a))

    from fastapi import APIRouter
    r = APIRouter()
    for path, f in (("/about", about), ("/fleet/devices", fleet_devices), ("/fleet/days", fleet_days), ("/devices/{device}/days/{day}", device_day),
                    ("/devices/{device}/windows/{hour}/scalogram.png", png), ("/alarms", list_alarms), ("/alarms/{id}", one)):
        if path not in have and path.replace("hour", "window_start").replace("{id}", "{number}") not in have: r.add_api_route(path, f, methods=["GET"])
    if "/alarms" not in have: r.add_api_route("/alarms/{id}/{action}", act, methods=["POST"])
    # before the routes that are there
    n = len(app.router.routes); app.include_router(r); new = app.router.routes[n:]; del app.router.routes[n:]; app.router.routes[:0] = new
