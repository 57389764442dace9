"""Which column of a file is what, by its name and its unit.

Names are taken apart into words, and words are looked up; a column is taken unasked only if no other one fits as
well. A unit that is none of the measurement's, or a word for alternating current, power or energy, keeps a column
out. Not here: what is done with several columns of one measurement (`layouts.py`).
"""

import itertools
import re
import unicodedata
from dataclasses import dataclass

from pvfault.readings import DEVICE_ID, MEASUREMENTS
from pvfault_files.units import Unit, find_unit, is_unit

DATE = "date"
CLOCK = "time of day"
PORT = "input"


def _split(text):
    return frozenset(text.split())


# Words and what they say. Small letters, without accents.
_VOLTAGE = _split(
    "voltage volt volts spannung tension tensione tensao voltaje spanning udc vdc dcv upv vpv pvv vmp vmpp umpp u v "
    "dcvoltage dcspannung inputvoltage"
)
_CURRENT = _split(
    "current strom stromstarke courant corrente corriente intensidad stroom amp amps ampere idc dci ipv pvi imp "
    "impp i a dccurrent dcstrom inputcurrent"
)
_TEMPERATURE = _split(
    "temperature temp temperatur tmp temperatura temperatuur tmod tmodule tmodul tcell tzell tbom tpv t modtemp "
    "moduletemp modultemp celltemp tempmod tempmodule moduletemperature modultemperatur tempcell tm panneautemp"
)
_IRRADIANCE = _split(
    "irradiance irradiation irradiacion irradiancia radiation radiacion einstrahlung strahlung bestrahlungsstarke "
    "ensoleillement irraggiamento irradiamento instraling insolation irr irrad poa gpoa gti gii poai g "
    "solarirradiance poairradiance sunlight solarradiation gtilt ginc insol"
)
_MEASURED = {"voltage": _VOLTAGE, "current": _CURRENT, "temperature": _TEMPERATURE, "irradiance": _IRRADIANCE}
_TIME = _split(
    "timestamp timestamps ts time datetime zeit zeitstempel zeitpunkt horodatage heure hora ora tijd datumzeit "
    "measuredon recorded t epoch utctime localtime timeutc timestamputc dateandtime fechahora dataora lastchanged "
    "unixtime"
)
_DATE = _split("date datum fecha data day tag jour giorno dia")
_CLOCK = _split("time uhrzeit zeit clock hora heure ora hour tijd timeofday")
_DEVICE = _split(
    "device deviceid devicename inverter inverterid invertername inv wechselrichter wr onduleur inversor id serial "
    "serialnumber sn sourcekey unit asset equipment gerat apparaat stringcombiner combiner entity entityid loggerid "
    "omvormer seriennummer source"
)
_PORT = _split("input mppt mpp tracker port string stringid channel dcinput eingang entree ingresso pvinput")
_NO_MEASUREMENT = _split(
    "ac grid netz reseau rete red phase l1 l2 l3 uac iac vac pac rms r rs st tr n power leistung puissance potencia "
    "potenza vermogen energy energie energia yield ertrag kwh wh kw watt pdc p e pf frequency freq frequenz hz cos "
    "status state error fault alarm code rated nominal max min std stddev limit setpoint soc battery batt load "
    "export import leakage residual ground insulation iso resistance voc isc uoc bus set count reactive apparent "
    "diffuse dhi dni direct albedo rear reflected uv wind humidity pressure rain expected predicted forecast "
    "quality flag"
)
# A second choice: a column of the kind, but of another place than the array's. It is told about and not taken unasked.
_ELSEWHERE = {
    "temperature": _split(
        "ambient amb air outdoor outside umgebung aussen ambiente ext internal intern cabinet heatsink sink igbt "
        "inverter case board ambienttemperature tamb tambient dew inside cpu wr inv wechselrichter device logger "
        "chassis"
    ),
    "irradiance": _split("ghi horizontal global glob hor horiz"),
}
_AT_THE_ARRAY = {
    "voltage": _split("dc pv mpp mppt string input array"),
    "current": _split("dc pv mpp mppt string input array"),
    "temperature": _split("module modul mod cell zelle zell panel back bom modulo panneau modules"),
    "irradiance": _split("poa tilted tilt plane inclined array gti geneigt module inc incl modul"),
}
_ARRAYS_OWN = _split(
    "udc vdc idc upv vpv ipv pvv pvi vmp vmpp umpp imp impp tmod tmodule tmodul tcell tzell tbom tpv modtemp "
    "moduletemp modultemp celltemp tempmod tempmodule moduletemperature modultemperatur tempcell gpoa poa gti gii "
    "poai poairradiance gtilt ginc"
)
_FILLERS = _split(
    "dc pv mpp mppt string strings input in the of avg average mean mittel mittelwert value wert measured total "
    "sensor array solar actual instantaneous side sum tracker strg eingang generator utc local plant and und name "
    "no nr nummer number"
)
# An energy that was not gathered between two rows.
_COUNTED = _split(
    "daily today day month monthly year yearly annual cumulative cumulated accumulated cum sum summe total tages "
    "tagessumme taglich kumuliert gesamt jour giorno dia counter"
)
# What stands beside the name of a time or a device.
_BESIDE = _split("utc local lokal gmt name no nr number id the of und and dc pv start end")
_INPUT_WORDS = _split("dc pv mpp mppt string strings input in tracker strg eingang str ch channel port")


@dataclass(frozen=True)
class Name:
    """What a column's name says.

    Attributes
    ----------
    text : str
        As the file has it.
    measurement : str
        The measurement that it is of; empty if of none.
    rank : int
        3: the reading's own name; 2: at the array; 1: of the kind; 0: of the kind, but of another place.
    unit : Unit or None
        From the name, or beside it.
    input : str
        Number or letter of the input; empty if it names none.
    owner : str
        Words that say whose it is, as the name of a device.
    """

    text: str
    measurement: str = ""
    rank: int = 0
    unit: Unit | None = None
    input: str = ""
    owner: str = ""


def read_name(text: str, beside: str = "") -> Name:
    """Read what a column's name says.

    Parameters
    ----------
    text : str
    beside : str
        What stands in the row of units.

    Examples
    --------
    >>> read_name("Idc2").measurement, read_name("Idc2").input
    ('current', '2')
    >>> read_name("Irradiance (kW/m2)").unit.text, read_name("AC Voltage").measurement, read_name("INV1 Udc").owner
    ('kW/m²', '', 'INV1')
    """
    if text in MEASUREMENTS:
        return Name(text, text, 3, _unit_beside(text, beside))
    stem, unit_text = _split_unit(text, beside)
    words = _words(stem)
    unit = find_unit(unit_text) if unit_text else None
    plain = [word for word, _ in words]
    if unit_text and unit is None and is_unit(unit_text):
        return Name(text)  # of another quantity
    found = _measurement_of(plain, unit)
    if not found or (unit and unit.measurement != found):
        return Name(text, unit=unit)
    if unit and unit.is_energy and _COUNTED.intersection(plain):
        return Name(text)  # of a day, or since whenever
    measurement, rank = found, _rank_of(plain, found)
    number, owner = _rest(stem, words, measurement)
    return Name(text, measurement, rank, unit, number, owner)


def _unit_beside(measurement, beside):
    unit = find_unit(beside) if beside.strip() else None
    return unit if unit and unit.measurement == measurement else None


def _split_unit(text, beside):
    """A name without its unit, and that."""
    found = re.search(r"\s*[\[({]([^\])}]+)[\])}]\s*$", text)
    if found and is_unit(found[1]):
        return text[: found.start()], found[1]
    if beside.strip():
        return text, beside
    found = re.search(r"(?<=.)[\s_,/.:-]+([^\s_,]+(?:[_/ ]?(?:m2|m²|m\^2|cm2|cm²))?)\s*$", text)
    if found and is_unit(found[1]):
        # `I_A` too, but not `DC V`, whose V is no unit, or `A_Vdc`, whose A is a name.
        stem = _measurement_of([word for word, _ in _words(text[: found.start()])], None)
        unit = find_unit(found[1])
        if stem and (unit is None or unit.measurement == stem):
            return text[: found.start()], found[1]
    return text, ""


def _words(text):
    """Words of a name in plain small letters, each with how it was written."""
    parts = re.sub(r"([a-zäöü])([A-Z])", r"\1 \2", text)
    parts = re.sub(r"([A-Za-z])(\d)|(\d)([A-Za-z])", lambda m: f"{m[1] or m[3]} {m[2] or m[4]}", parts)
    words = [part for part in re.split(r"[^\w°²]+|_", parts) if part]
    return [(_plain(word), word) for word in words]


def _plain(word):
    word = word.lower().replace("ß", "ss")
    return "".join(letter for letter in unicodedata.normalize("NFKD", word) if not unicodedata.combining(letter))


def _measurement_of(words, unit):
    """The measurement that words are of, or an empty text."""
    joined = "".join(word for word in words if not word.isdigit())
    phases = any(pair in {("l", "1"), ("l", "2"), ("l", "3")} for pair in itertools.pairwise(words))
    if phases or any(word in _NO_MEASUREMENT for word in words):
        return ""
    for measurement, known in _MEASURED.items():
        if joined in known and len(joined) > 2:
            return measurement
    for known in _ELSEWHERE.values():
        if joined in known and joined in {"ghi", "tamb", "tambient"}:
            return "irradiance" if joined == "ghi" else "temperature"
    hits = {m for m, known in _MEASURED.items() for word in words if word in known and len(word) > 1}
    if not hits:
        hits = {m for m, known in _MEASURED.items() for word in words if word in known}
    if hits == {"irradiance", "temperature"} and set(words) & _AT_THE_ARRAY["irradiance"]:
        hits = {"temperature"}
    if not hits and "ghi" in words:
        return "irradiance"
    if not hits and unit is not None and unit.measurement == "irradiance":
        return "irradiance"  # nothing else is in W/m²
    return hits.pop() if len(hits) == 1 else ""


def _rank_of(words, measurement):
    at_the_array = set(words) & _AT_THE_ARRAY[measurement] or {*words, "".join(words)} & _ARRAYS_OWN
    if set(words) & _ELSEWHERE.get(measurement, set()) and not at_the_array:
        return 0
    return 2 if at_the_array else 1


def _rest(text, words, measurement):
    """Number of the input, and the words that say whose a column is."""
    own = _MEASURED[measurement] | _AT_THE_ARRAY[measurement] | _FILLERS
    if any(word in _MEASURED[measurement] and len(word) > 1 for word, _ in words):
        own = {word for word in own if len(word) > 1}  # A_Idc is the current of A
    number, owner = "", []
    for place, (word, written) in enumerate(words):
        before = words[place - 1][0] if place else ""
        if word.isdigit() or (len(word) == 1 and word not in own and word.isalpha() and place == len(words) - 1):
            if before in _INPUT_WORDS or before in _MEASURED[measurement]:
                number = number or written
            else:
                owner.append(written)
        elif word not in own:
            owner.append(written)
    # As it is written, INV1 or Inverter_1, if the words stand together.
    written = re.search(r"[\W_]*".join(map(re.escape, owner)), text) if owner else None
    return number, written[0] if written else " ".join(owner)


def is_time_name(text: str) -> bool:
    """Whether a column's name is that of timestamps."""
    return _matches(text, _TIME) or re.search(r"[dy]{2,4}[-/.]m{2}[-/.][dy]{2,4}", text, re.IGNORECASE) is not None


def is_date_name(text: str) -> bool:
    """Whether a column's name is that of dates."""
    return _matches(text, _DATE)


def is_clock_name(text: str) -> bool:
    """Whether a column's name is that of times of day."""
    return _matches(text, _CLOCK)


def is_device_name(text: str) -> bool:
    """Whether a column's name is that of devices."""
    return text == DEVICE_ID or _matches(text, _DEVICE)


def is_port_name(text: str) -> bool:
    """Whether a column's name is that of inputs of a device."""
    return _matches(text, _PORT)


def _matches(text, known):
    stem = re.sub(r"\s*[\[({].*?[\])}]", "", text)
    words = [word for word, _ in _words(stem)]
    kept = [word for word in words if word not in _BESIDE] or words
    return "".join(words) in known or "".join(kept) in known or (len(kept) == 2 and known.issuperset(kept))
