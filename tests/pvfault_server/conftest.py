"""Clients of the application over tables that tests write."""

import pytest
from starlette.testclient import TestClient

from pvfault_server.app import make_app


@pytest.fixture
def settings(make_settings, tmp_path):
    return make_settings(tmp_path, PVFAULT_MODEL=str(tmp_path / "weights.h5"))


@pytest.fixture
def client(settings):
    """Asks as a program of this machine does; what the server fails at comes as it would over the network."""
    with TestClient(make_app(settings), "http://localhost", raise_server_exceptions=False) as client:
        yield client
