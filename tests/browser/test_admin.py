"""The admin in a browser: its kinds of pages open, and nothing in the console complains.

That every page of it opens, tests/agentpipe/test_admin.py shows.
"""

import re
import urllib.request

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.servers import KEY, Server

pytestmark = pytest.mark.processes

LIST = re.compile(r"/admin/\w+/\w+/")
LONG = "very-long-word" * 40
A_JOB = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status) VALUES (%s, %s, %s, %s)"
)


def test_lists_and_rows_of_the_admin_open_in_peace(server: Server, open_page: Open) -> None:
    fill(server)
    page = open_page(f"{server.url}/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(server.admin_password())
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Site administration")).to_be_visible()
    expect(page.get_by_role("link", name="AgentPipe")).to_be_visible()

    links = addresses(page, "#content-main a")
    lists = [link for link in links if LIST.fullmatch(link)]
    assert {"/admin/procrastinate/procrastinatejob/", "/admin/conversations/message/"} < {*lists}
    shown = [visit(page, server, address) for address in lists]
    rows = [row for found in shown for row in found[:1]]
    assert len(rows) > 10
    for address in [*rows, "/admin/auth/user/add/"]:
        visit(page, server, address)


def fill(server: Server) -> None:
    server.ingest("conversation.started", conversation_id="tower", initial_prompt=LONG, name=LONG)
    server.say(LONG, tokens_used=10**15, cost=10**6)
    server.ingest("log.entry", conversation_id="tower", level="system", content=LONG)
    request = urllib.request.Request(
        f"{server.url}/api/projects/default/ingest/jobs",
        data=b"nonsense\n",
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-ndjson"},
    )
    urllib.request.urlopen(request).close()
    with psycopg.connect(server.database_url, autocommit=True) as connection:
        connection.execute(A_JOB, ["nobody's", LONG[:128], '{"words": "stone"}', "failed"])


def visit(page: Page, server: Server, address: str) -> list[str]:
    """Open it, see that it fits into the window, and say which rows it leads to."""
    answer = page.goto(server.url + address)
    assert answer is not None
    assert answer.status == 200, address
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address
    return addresses(page, "#result_list tbody th a")


def addresses(page: Page, links: str) -> list[str]:
    found: list[str] = page.locator(links).evaluate_all("all => all.map(link => link.pathname)")
    return found
