"""The page of imports without scripts: a form goes in, what became of it is shown."""

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django.fixtures import Settings

from conversations.models import IngestJob, Project
from tests.conversations.imported import a_log, left_in_the_folder, lines, work

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def browser(bob: User) -> Client:
    browser = Client()
    browser.force_login(bob)
    return browser


def a_file(content: bytes, name: str = "events.jsonl") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def test_files_of_a_form_are_imported(browser: Client, project: Project) -> None:
    files = [a_file(lines(a_log("first", 3))), a_file(lines(a_log("second", 2)) + b"oops\n", "b")]

    answer = browser.post("/import", {"file": files})
    assert (answer.status_code, answer["Location"]) == (302, "/import?project=tower")
    waiting = browser.get("/import?project=tower").content.decode()
    assert waiting.count("queued</span>") == 2
    work()

    page = browser.get("/import?project=tower").content.decode()
    assert "events.jsonl" in page
    assert page.count("completed</span>") == 2
    assert "<b>Line 6</b>" in page
    assert {job.new for job in IngestJob.objects.all()} == {6, 4}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "Choose a file first"), (b"\x1f\x8bnonsense", "cannot be unpacked"), (b"", "nothing")],
)
def test_what_is_no_file_is_refused_on_the_page(
    browser: Client, content: bytes | None, sentence: str
) -> None:
    answer = browser.post("/import", {} if content is None else {"file": a_file(content)})

    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert not IngestJob.objects.exists()
    assert left_in_the_folder() == []


def test_only_the_first_that_is_bad_is_in_the_list_and_all_on_its_own_page(
    browser: Client,
) -> None:
    browser.post("/import", {"file": a_file(b"bad <b>one</b>\n" * 9)})
    work()
    job = IngestJob.objects.get()

    listed = browser.get("/import").content.decode()
    shown = browser.get(f"/import/{job.public_id}").content.decode()

    assert (listed.count("<b>Line"), shown.count("<b>Line")) == (3, 9)


def test_an_import_is_cancelled_once_and_what_is_over_stays(browser: Client) -> None:
    browser.post("/import", {"file": a_file(lines(a_log("first", 3)))})
    job = IngestJob.objects.get()

    for _ in range(2):
        answer = browser.post(f"/import/{job.public_id}/cancel", follow=True)
        assert answer.status_code == 200
        assert "cancelled</span>" in answer.content.decode()


def test_older_imports_are_a_page_further(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversations.pages.imports.IMPORTS_A_PAGE", 2)
    for number in range(3):
        project.ingest_jobs.create(file_name=f"number {number}", status="completed")
    newest = browser.get("/import").content.decode()
    before = IngestJob.objects.get(file_name="number 1").pk

    assert "number 0" not in newest
    assert f"before={before}" in newest
    assert "number 0" in browser.get(f"/import?before={before}").content.decode()


def test_a_file_that_is_too_large_is_refused(browser: Client, settings: Settings) -> None:
    settings.IMPORT_LIMIT = 1000

    assert browser.post("/import", {"file": a_file(b"x" * 2000)}).status_code == 413
    assert not IngestJob.objects.exists()


def test_without_the_forms_token_nothing_comes_in(bob: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(bob)

    assert browser.post("/import", {"file": a_file(b"{}")}).status_code == 403
    assert not IngestJob.objects.exists()
