"""A project in which every kind of thing bears the mark, and all that it holds."""

import json
from typing import Any
from uuid import uuid4

from channels.db import database_sync_to_async
from django.apps import apps
from django.contrib.auth.models import User
from django.core.serializers.json import DjangoJSONEncoder

from agents import events
from agents.models import AgentRun
from conversations import hosting
from conversations.models import Project
from streaming.models import Topic
from streaming.publish import publish, transactional
from tests.clients import Api
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
ASK: dict[str, Any] = {"id": "ask", "kind": "approval", "question": "May it go on?"}

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


async def fill_project(api: Api) -> None:
    await api.start(
        CONVERSATION,
        initial_prompt=MARK,
        metadata={"mark": MARK},
        participants=[{"agent_id": MARK, "agent_type": MARK, "name": MARK, "prompt": MARK}],
    )
    await api.say(CONVERSATION, MARK, message_id=MESSAGE, agent_name=MARK, model=MARK)
    entry = {"conversation_id": CONVERSATION, "level": "system", "content": MARK}
    assert (await api.ingest("log.entry", entry)).status_code == 200
    await database_sync_to_async(_add_the_rest)()


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
    filled = {name for name in tables if tables[name]}
    assert {"Conversation", "Message", "RawEvent"} <= filled, filled
    tables["Topic"] = list(Topic.objects.filter(name=tower.topic).values())
    return json.dumps(tables, cls=DjangoJSONEncoder, default=repr)


def _add_the_rest() -> None:
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
