"""Every door and every socket, tried by those who may not pass. A new one is found by itself."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.apps import apps
from django.contrib.auth.models import User
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver, path
from django.utils import timezone
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agentpipe import routing
from agentpipe.api.authentication import SocketAuthentication
from agents import events
from agents.models import AgentRun
from conversations import hosting
from conversations.models import Project
from conversations.services import make_key
from streaming.models import Topic
from streaming.publish import publish, transactional
from tests.agentpipe.knocking import CSRF_TOKEN, Heard, first_of, knock, signed_in, urlconf_with
from tests.clients import Api, Socket, started
from workflows import events as workflow_events
from workflows.models import WorkflowRun

# In everything that the project holds, and in nothing that is sent to a door.
MARK = "xyzzy-of-the-tower"
CONVERSATION = str(uuid4())
MESSAGE = str(uuid4())
JOB = "c" + "4" * 24
CHAT = str(uuid4())
KEY = "4711"
AGENT = "ada-at-work"
QUESTION, ANSWER, RUN = "a" * 24, "b" * 24, "d" * 24
WORKFLOW, WORKFLOW_RUN = "raise-the-roof", "e" * 24

# A parameter of a path stands for something that exists, or nobody could be refused it. A door
# with a new kind of parameter has to say here what of the project it opens.
THINGS = {
    "project": "tower",
    "conversation": CONVERSATION,
    "job": JOB,
    "user_id": "ada",
    "chat_id": CHAT,
    "message_id": QUESTION,
    "run": RUN,
    "agent": AGENT,
    "workflow": WORKFLOW,
    "workflow_run": WORKFLOW_RUN,
    "node": "ask",
    "key": KEY,
    "username": "mia",
    "content_type_id": "1",
    "object_id": "1",
    "id": "1",
    "app_label": "conversations",
    "url": "conversations/",
    "path": "anything",
}
OF_THE_PROJECT = (
    CONVERSATION,
    JOB,
    CHAT,
    QUESTION,
    RUN,
    AGENT,
    WORKFLOW,
    WORKFLOW_RUN,
    "users/ada",
)
ASK: dict[str, Any] = {"id": "ask", "kind": "approval", "question": "May it go on?"}
# What a body must say to get past the reading of it, and to the project.
BODIES: dict[str, Any] = {
    "api/ingest": {"type": "conversation.started", "data": started(str(uuid4()))},
    "api/ingest/batch": [{"type": "conversation.started", "data": started(str(uuid4()))}],
    "api/projects/<str:project>/keys": {"name": "Taken over"},
    "api/projects/<str:project>/members/<str:username>": {"role": "owner"},
    "api/stream-tokens": {"stream": f"conversation:{CONVERSATION}"},
    "api/chats/<str:chat_id>": {"title": "Taken over"},
    "api/chats/<str:chat_id>/messages": {"content": "Who is there?"},
    "api/projects/<str:project>/runs": {"prompt": "Who is there?"},
    "api/projects/<str:project>/workflows": {"name": "taken-over", "nodes": [ASK]},
    "api/projects/<str:project>/workflows/<str:workflow>": {"name": WORKFLOW, "nodes": [ASK]},
    "api/projects/<str:project>/workflow-runs/<str:workflow_run>/rerun": {"node": "ask"},
    "api/command-center/message": {
        "agentId": "default",
        "message": "Who is there?",
        "conversationId": CHAT,
    },
}
# Open on purpose.
OPEN = {
    "api/schema",
    "api/docs",
    "healthz",
    "readyz",
    "login",
    "logout",
    "admin/login/",
    "admin/logout/",
    "admin/jsi18n/",
}
SAFE = {"GET", "HEAD", "OPTIONS"}
A_FORM = {"cookie": f"csrftoken={CSRF_TOKEN}", "x-csrftoken": CSRF_TOKEN}


@dataclass(frozen=True, slots=True)
class Door:
    route: str
    method: str

    @property
    def target(self) -> str:
        return _filled(self.route)

    @property
    def is_api(self) -> bool:
        return self.route.startswith(("api/", "metrics"))

    async def knock(self, **who: Any) -> Heard:
        # With everything that a form would send: that a token is missing locks no door.
        headers = {"content-type": "application/json", **A_FORM, **who.pop("headers", {})}
        said = json.dumps(who.pop("body", BODIES.get(self.route, {}))).encode()
        body = b"" if self.method in SAFE else said
        return await knock(
            f"/{self.target}",
            method=self.method,
            query="since=0",
            headers=headers,
            body=body,
            **who,
        )


@dataclass(slots=True)
class Sockets:
    """The sockets of a routing, as the application wires them."""

    routes: list[Any] = field(default_factory=lambda: routing.sockets)

    def paths(self) -> list[str]:
        return [_filled(str(route.pattern) or "api/no-such-socket") for route in self.routes]

    async def open(self, name: str, **who: Any) -> tuple[object, object]:
        """The first frame or close code; then, of a socket that takes commands, the next."""
        socket = Socket(f"/{name}?since=0", **who)
        socket.application = SocketAuthentication(URLRouter(self.routes))
        async with socket:
            first = await first_of(socket)
            if isinstance(first, int):
                return first, None
            await socket.send_json_to({"action": "subscribe", "stream": "project:tower"})
            return first, await first_of(socket)


def _filled(route: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: THINGS[found[1]], route).replace(r"\Z", "")


def doors(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[Door]:
    for entry in (resolver or get_resolver()).url_patterns:
        route = f"{prefix}{entry.pattern}"
        if isinstance(entry, URLResolver):
            yield from doors(entry, route)
        else:
            # Written as regular expressions by the admin: ^(?P<app_label>auth|conversations)/$
            route = re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", route).replace("^", "").replace("$", "")
            for method in _methods(entry):
                yield Door(route, method)


def _methods(pattern: URLPattern) -> list[str]:
    view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
    if view is None:
        return ["GET", "POST"]
    # Where GET is answered so is HEAD, unless the view leaves it out.
    names = [name for name in view.http_method_names if hasattr(view, name) or name == "head"]
    return [name.upper() for name in names if name != "head" or "get" in names]


Complaint = str


def is_refusal(door: Door, heard: Heard) -> bool:
    """Nobody is anybody: told to say who they are."""
    if door.is_api:
        return heard.status == 401
    login = ("/login?", "/admin/login/?")
    return heard.status == 302 and heard.headers["location"].startswith(login)


def is_blind(door: Door, heard: Heard) -> bool:
    """The project is not there, or the door is not for this caller, or there is nothing."""
    if not door.is_api and not door.route.startswith("admin/"):
        return heard.status in {200, 302, 400, 404}
    return heard.status < 400 or heard.status in {400, 401, 403, 404}


def is_of_the_admin(door: Door) -> bool:
    """One table's pages stand for the others' where a key is tried: no page reads any."""
    return door.route.startswith("admin/") and "/project/" not in door.route


async def tried(
    is_fine: Callable[[Door, Heard], bool],
    *,
    but: Callable[[Door], bool] = lambda door: False,
    **who: Any,
) -> tuple[list[Complaint], list[Door]]:
    """Try every closed door; say which answered wrongly or with something of the project."""
    complaints = []
    closed = [door for door in doors() if door.route not in OPEN and not but(door)]
    before = await held()
    for door in closed:
        heard = await door.knock(**who)
        if not is_fine(door, heard) or MARK.encode() in heard.body:
            complaints.append(f"{door.method} {door.route}: {heard.status} {heard.body[:200]!r}")
    if await held() != before:
        complaints.append("what the project holds was changed")
    return complaints, closed


async def held() -> str:
    found: str = await database_sync_to_async(_held)()
    return found


def _held() -> str:
    """Every row of the project, of whatever table; of keys their use is none of its content."""
    tower = Project.objects.get(slug="tower")
    tables: dict[str, Any] = {}
    for model in apps.get_models():
        fields = {field.name for field in model._meta.get_fields()}
        if "project" in fields:
            rows = model._default_manager.filter(project=tower).order_by("pk")
            tables[model.__name__] = [{**row, "last_used_at": None} for row in rows.values()]
    assert {"Conversation", "Message", "RawEvent"} <= {name for name in tables if tables[name]}
    tables["Topic"] = list(Topic.objects.filter(name=tower.topic).values())
    return json.dumps(tables, cls=DjangoJSONEncoder, default=repr)


@pytest.fixture(autouse=True)
async def _full_project(api: Api, settings: Settings) -> None:
    """A project in which every kind of thing bears the mark."""
    settings.STREAM_HEARTBEAT_S = 0.05
    await api.start(
        CONVERSATION,
        initial_prompt=MARK,
        metadata={"mark": MARK},
        participants=[{"agent_id": MARK, "agent_type": MARK, "name": MARK, "prompt": MARK}],
    )
    await api.say(CONVERSATION, MARK, message_id=MESSAGE, agent_name=MARK, model=MARK)
    entry = {"conversation_id": CONVERSATION, "level": "system", "content": MARK}
    assert (await api.ingest("log.entry", entry)).status_code == 200
    await database_sync_to_async(_import)()


def _import() -> None:
    project = Project.objects.get(slug="tower")
    project.ingest_jobs.create(public_id=JOB, errors=[{"line": 1, "error": MARK}])
    project.keys.create(pk=KEY, name=MARK, digest="of-the-tests")
    project.progress.create(agent_id=AGENT, status=MARK)
    project.members.add(User.objects.create_user("mia"))
    _chat_in(project)
    _workflow_in(project)


@transactional
def _workflow_in(project: Project) -> None:
    definition = {"name": WORKFLOW, "description": MARK, "nodes": [ASK]}
    workflow = project.workflows.create(
        name=WORKFLOW, title=MARK, description=MARK, definition=definition
    )
    run = project.workflow_runs.create(
        public_id=WORKFLOW_RUN,
        workflow=workflow,
        workflow_name=WORKFLOW,
        definition=definition,
        started_by=MARK,
        status=WorkflowRun.Status.WAITING,
    )
    state = run.nodes.create(node_id="ask", kind="approval", summary=MARK, state="waiting")
    publish(workflow_events.node_updated(run, state), run.topic)


@transactional
def _chat_in(project: Project) -> None:
    person = project.people.create(user_id="ada", name=MARK)
    conversation = hosting.open_chat(project, public_id=CHAT, name=MARK)
    person.chats.create(conversation=conversation, agent_id="guide")
    speaker = hosting.Speaker(agent_id="ada", agent_type=MARK, agent_name=MARK)
    question = hosting.add_question(
        conversation, public_id=QUESTION, asker=speaker, content=MARK, metadata={}
    )
    answer = hosting.add_answer(conversation, public_id=ANSWER, answerer=speaker)
    run = project.runs.create(
        public_id=RUN,
        conversation=conversation,
        question=question,
        answer=answer,
        agent_id="guide",
        prompt=MARK,
        status=AgentRun.Status.RUNNING,
    )
    publish(events.content(MARK), run.topic)


@pytest.fixture
def revoked_key(project: Project) -> str:
    key, secret = make_key(project, "revoked")
    key.revoked_at = timezone.now()
    key.save()
    return secret


@pytest.fixture
def other_key(transactional_db: None) -> str:
    unlimited = dict.fromkeys(["ingest", "bridge", "upload", "streams", "messages"], "0")
    other = Project.objects.create(slug="bridge-over-the-river")
    return make_key(other, "other", rates=unlimited)[1]


async def caller_as(who: str, stranger: User, other_key: str) -> dict[str, Any]:
    if who == "other key":
        return {"key": other_key}
    return {"headers": await database_sync_to_async(signed_in)(stranger)}


def uncounted(heard: Heard) -> tuple[int, dict[str, str], bytes]:
    """Without what is another at each request: its name, and how often this caller has asked."""
    headers = {
        name: value
        for name, value in heard.headers.items()
        if name not in {"x-ratelimit-remaining", "x-ratelimit-reset", "x-request-id"}
    }
    return heard.status, headers, heard.body


async def test_the_owner_passes_where_the_others_are_refused(key: str) -> None:
    """Without this, a door that answers nobody would look well locked."""
    heard = {
        door.route: await door.knock(key=key)
        for door in doors()
        if door.method == "GET" and any(thing in door.target for thing in OF_THE_PROJECT)
    }
    assert {"api/chats/<str:chat_id>", "api/messages/<str:message_id>/events"} <= heard.keys()
    assert {route: MARK.encode() in one.body for route, one in heard.items()} == dict.fromkeys(
        heard, True
    )


async def test_nobody_passes_any_door_that_is_not_open_on_purpose() -> None:
    complaints, closed = await tried(is_refusal)

    assert complaints == []
    assert {"api/ingest", "api/realtime/stream", "metrics", ""} <= {door.route for door in closed}


async def test_a_revoked_key_passes_no_door(revoked_key: str) -> None:
    assert (await tried(is_refusal, but=is_of_the_admin, key=revoked_key))[0] == []


async def test_a_wrong_key_passes_no_door() -> None:
    assert (await tried(is_refusal, but=is_of_the_admin, key="ap_made-up"))[0] == []


async def test_a_stranger_finds_nothing_of_the_project_behind_any_door(charlie: User) -> None:
    who = await database_sync_to_async(signed_in)(charlie)

    assert (await tried(is_blind, headers=who))[0] == []


async def test_a_key_of_another_project_finds_nothing_of_this_one(other_key: str) -> None:
    assert (await tried(is_blind, but=is_of_the_admin, key=other_key))[0] == []


@pytest.mark.parametrize("who", ["stranger", "other key"])
async def test_whoever_may_not_see_a_thing_cannot_tell_that_it_exists(
    who: str, charlie: User, other_key: str
) -> None:
    caller = await caller_as(who, charlie, other_key)
    no_such = {
        "tower": "no-such-project",
        CONVERSATION: str(uuid4()),
        JOB: "c" + "5" * 24,
        CHAT: str(uuid4()),
        QUESTION: "e" * 24,
        RUN: "f" * 24,
        AGENT: "nobody-at-work",
        WORKFLOW: "no-such-workflow",
        WORKFLOW_RUN: "9" * 24,
    }
    addresses = [
        *{
            door.target
            for door in doors()
            if door.is_api and door.method == "GET" and any(name in door.target for name in no_such)
        },
        *[
            f"api/realtime/stream?conversationId={CONVERSATION}",
            "api/realtime/stream?project=tower",
        ],
        *["api/conversations?project=tower", "?project=tower", "conversations?project=tower"],
        f"conversations/{CONVERSATION}",
    ]

    for address in addresses:
        missing = address
        for name, replacement in no_such.items():
            missing = missing.replace(name, replacement)
        target, _, query = address.partition("?")
        other_target, _, other_query = missing.partition("?")
        known = await knock(f"/{target}", query=query, **caller)
        unknown = await knock(f"/{other_target}", query=other_query, **caller)
        assert uncounted(known) == uncounted(unknown), address
        assert known.status == 404 or (who == "other key" and "project=tower" in address), address


@pytest.mark.parametrize("who", ["stranger", "other key"])
async def test_no_token_tells_that_a_stream_exists(who: str, charlie: User, other_key: str) -> None:
    caller = await caller_as(who, charlie, other_key)

    streams = {
        "project": "tower",
        "conversation": CONVERSATION,
        "message": QUESTION,
        "run": RUN,
        "workflow-run": WORKFLOW_RUN,
    }
    for kind, name in streams.items():
        door = Door("api/stream-tokens", "POST")
        known = await door.knock(body={"stream": f"{kind}:{name}"}, **caller)
        unknown = await door.knock(body={"stream": f"{kind}:no-such-thing"}, **caller)
        assert uncounted(known) == uncounted(unknown)
        assert known.status == 404


async def test_nobody_opens_a_socket() -> None:
    sockets = Sockets()

    heard = {name: await sockets.open(name) for name in sockets.paths()}

    assert len(heard) == len(routing.sockets)
    assert heard == dict.fromkeys(heard, (4401, None))


async def test_a_revoked_key_opens_no_socket(revoked_key: str) -> None:
    sockets = Sockets()

    heard = {name: await sockets.open(name, key=revoked_key) for name in sockets.paths()}

    assert heard == dict.fromkeys(heard, (4401, None))


@pytest.mark.parametrize("who", ["stranger", "other key"])
async def test_no_socket_leads_a_foreigner_to_the_project(
    who: str, charlie: User, other_key: str
) -> None:
    caller = await caller_as(who, charlie, other_key)

    assert await sockets_open_to(Sockets(), caller) == []


async def sockets_open_to(sockets: Sockets, caller: dict[str, Any]) -> list[str]:
    leading = []
    for name in sockets.paths():
        first, second = await sockets.open(name, **caller)
        takes_commands = isinstance(first, dict) and first.get("lastEventId", "") is None
        if takes_commands:
            assert isinstance(second, dict)
            is_closed = second.get("code") == "no_such_stream"
        else:
            is_closed = first == 4404
        if not is_closed:
            leading.append(name)
    return leading


# Whether the walk would see it


class Unlocked(APIView):
    permission_classes = ()
    authentication_classes = ()
    throttle_classes = ()

    def get(self, request: Request) -> Response:
        return Response({"found": MARK})


def _plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


class ScopeForgotten(APIView):
    def get(self, request: Request) -> Response:
        return Response({"found": MARK})


async def test_the_walk_finds_a_door_without_a_lock(settings: Settings) -> None:
    settings.ROOT_URLCONF = urlconf_with(
        path("api/projects/<str:project>/unlocked", Unlocked.as_view()),
        path("api/plain", _plain),
        path("page", _plain),
    )

    complaints, _ = await tried(is_refusal, but=is_of_the_admin)

    assert {complaint.partition(": ")[0] for complaint in complaints} == {
        *[f"{method} api/projects/<str:project>/unlocked" for method in ("GET", "HEAD", "OPTIONS")],
        *["GET api/plain", "POST api/plain", "GET page", "POST page"],
    }


async def test_a_door_that_names_no_scope_is_closed_to_all(key: str, settings: Settings) -> None:
    settings.ROOT_URLCONF = urlconf_with(path("api/forgotten", ScopeForgotten.as_view()))

    heard = await knock("/api/forgotten", key=key)

    assert heard.status == 403
    assert heard.error


async def test_the_walk_finds_a_socket_without_a_lock(other_key: str) -> None:
    class UnlockedSocket(AsyncWebsocketConsumer):
        channel_layer_alias = "none"

        async def connect(self) -> None:
            await self.accept()
            await self.send(json.dumps({"type": "connected"}))

        async def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
            await self.send(json.dumps({"found": MARK}))

    unlocked = path("api/stream/projects/<str:project>/unlocked", UnlockedSocket.as_asgi())
    sockets = Sockets([unlocked, *routing.sockets])

    first, _ = await sockets.open("api/stream/projects/tower/unlocked")
    leading = await sockets_open_to(sockets, {"key": other_key})

    assert first != 4401
    assert leading == ["api/stream/projects/tower/unlocked"]
