"""The fleet page's files as they are sent: what they may do, how large they are, and what is not in them."""

import re
import tomllib

import pytest
from starlette.testclient import TestClient

from pvfault_server.app import make_app
from pvfault_server.pages import FILES
from tests.conftest import PROJECT

TOKEN = "0123456789abcdef"  # noqa: S105 - the test's own
SCRIPTS = sorted((FILES / "js").glob("*.js"))
MOST_BYTES = 400_000  # of script and style, before compression


def test_the_page_comes_from_this_server_alone_and_runs_nothing_that_is_written_into_it(client):
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", answer.text)


def test_each_file_that_a_file_names_is_sent_with_the_policy_and_asked_for_again(client):
    named = set(re.findall(r'(?:href|src)="(/page/[^"]+)"', client.get("/").text))
    named |= {
        f"/page/js/{name}"
        for script in SCRIPTS
        for name in re.findall(r'(?:from |import\()"\./([^"]+)"', script.read_text())
    }
    assert {f"/page/js/{script.name}" for script in SCRIPTS} <= named  # none is left over
    for path in named:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


def test_script_and_style_are_small():
    files = [path for path in FILES.rglob("*") if path.suffix in (".js", ".css")]
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_no_script_reads_text_as_html_or_as_code_or_names_another_host(script):
    """Names of sites and comments are other people's words."""
    text = script.read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc", text)
    assert set(re.findall(r"https?://[^\s\"'`]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_the_page_is_shown_without_the_token_and_tells_nothing_without_it(make_settings, tmp_path):
    """A browser that opens an address cannot show a token; the page asks for it."""
    with TestClient(make_app(make_settings(tmp_path, PVFAULT_TOKEN=TOKEN)), "http://plant.example") as client:
        assert client.get("/").status_code == 200
        assert client.get("/page/js/main.js").status_code == 200
        assert client.get("/devices").status_code == 401
        assert client.get("/page/../devices").status_code == 401
        assert client.get("/page/%2e%2e/guard.py").status_code == 404


def test_without_a_token_another_host_is_not_shown_the_page_either(client):
    assert client.get("/", headers={"Host": "plant.example"}).status_code == 421


def test_the_files_are_in_the_package_with_the_licence_of_what_others_wrote():
    patterns = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    folder = PROJECT / "pvfault_server"
    packed = {path for pattern in patterns["pvfault_server"] for path in folder.glob(pattern) if path.is_file()}
    assert packed == {path for path in FILES.rglob("*") if path.is_file()}
    assert "The MIT License" in (FILES / "uplot" / "LICENSE").read_text()
