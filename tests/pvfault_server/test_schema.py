"""The application against its own description: whatever a program sends, the answer is one that the description has."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from pvfault_server.app import make_app
from tests.pvfault_api.lake import Plant, days

# What is well formed may still not be there, be too wide, or be of another question.
LEFT_OUT = ("positive_data_acceptance",)
# As a program of this machine names it.
HOST = {"Host": "localhost"}
DAY = days(1, 1)[0]
THERE = {"device": "INV0000001", "day": DAY.isoformat(), "window_start": f"{DAY}T12:00:00Z", "number": 1}


@pytest.fixture(scope="module")
def description(make_settings, tmp_path_factory):
    """The application's description, over a date of a plant."""
    home = tmp_path_factory.mktemp("schema")
    own = make_settings(home, PVFAULT_MODEL=str(home / "weights.h5"))
    Plant(own).make(DAY)
    return schemathesis.openapi.from_asgi("/openapi.json", make_app(own), headers=HOST)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["well formed", "malformed"])
def test_what_is_answered_is_what_the_description_says(description, mode):
    left_out = CHECKS.get_by_names(list(LEFT_OUT))
    statuses = set()

    def asking(operation):
        @settings(
            max_examples=15, derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode), is_there=st.booleans())
        def ask(case, is_there):
            if is_there and mode == GenerationMode.POSITIVE:  # else hardly any device is one that there is
                case.path_parameters = {name: THERE[name] for name in case.path_parameters or {}}
            response = case.call(headers=HOST)
            statuses.add(response.status_code)
            if response.status_code != 413:  # refused as well, before anybody looks at what it says
                case.validate_response(response, excluded_checks=left_out)

        return ask

    for operation in (each.ok() for each in description.get_all_operations()):
        try:
            asking(operation)()
        except Unsatisfiable:  # a question without parameters cannot be asked wrongly
            assert mode == GenerationMode.NEGATIVE
    assert statuses >= ({200, 404, 422} if mode == GenerationMode.POSITIVE else {422})
