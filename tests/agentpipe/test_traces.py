"""One trace from a request to the frame, and from a question to the worker that answers it."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pytest_django import Settings

from agentpipe import server, telemetry
from agentpipe.env import BadSetting
from agents import working
from agents.models import AgentRun
from agents.recorder import Recorder, in_database
from agents.scribe import RunScribe
from agents.working import Commission
from streaming import tracing
from tests.agentpipe.knocking import knock
from tests.agents.chatting import Chatting
from tests.agents.conftest import stopped
from tests.clients import Api, Socket, eventually, said, sse
from tests.workflows.running import Workflows, agent, tool

SECRET = "swordfish-of-the-tower"
CALLER = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


class Traces:
    """What has been traced, by name."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        tracing.take_with(provider.get_tracer("tests"))

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    async def one(self, name: str) -> ReadableSpan:
        await eventually(lambda: bool(self.named(name)))
        return self.named(name)[0]

    def text(self) -> str:
        return "".join(span.to_json() for span in self.exporter.get_finished_spans())


@pytest.fixture
def traces() -> Iterator[Traces]:
    yield Traces()
    tracing.take_with(None)


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def is_part(span: ReadableSpan, whole: ReadableSpan) -> bool:
    return bool(parent(span) == whole.context.span_id)


@pytest.mark.parametrize("way", ["short", "long"])
async def test_a_request_is_traced_to_whoever_hears_of_it(
    traces: Traces, api: Api, key: str, way: str
) -> None:
    conversation = await api.start()
    async with Socket("/api/stream/projects/tower", key=key) as socket:
        await socket.frame()
        traces.exporter.clear()
        await api.ingest("message.created", said(conversation, SECRET))
        await socket.frame()

    request = await traces.one("POST /api/ingest")
    write = await traces.one("write") if way == "short" else request
    record, ring = await traces.one("record"), await traces.one("ring")
    heard = [await traces.one("hear")]
    assert parent(request) is None
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 201
    assert is_part(record, write)
    assert is_part(ring, record)
    assert all(is_part(span, ring) for span in heard)
    assert way == "long" or is_part(write, request)
    assert SECRET not in traces.text()
    assert key not in traces.text()


async def test_what_is_written_together_is_linked(traces: Traces, api: Api) -> None:
    conversation = await api.start()
    traces.exporter.clear()
    await asyncio.gather(*(api.say(conversation, f"Word {number}") for number in range(10)))

    requests = {span.context.span_id for span in traces.named("POST /api/ingest")}
    writes = traces.named("write")
    told = [parent(write) for write in writes]
    told += [link.context.span_id for write in writes for link in write.links]
    assert len(requests) == len(told) == 10
    assert {*told} == requests


async def test_a_stream_is_traced_when_it_has_begun(traces: Traces, api: Api, key: str) -> None:
    async with sse("/api/realtime/stream", key=key) as stream:
        assert stream.status == 200
        await traces.one("GET /api/realtime/stream")


async def test_a_question_is_traced_to_the_end_of_its_answer(
    traces: Traces, api: Api, key: str
) -> None:
    chatting = Chatting(api, key)
    chat = await chatting.open()
    api.headers["traceparent"] = CALLER
    asked = await chatting.ask(chat, {"say": "It is "}, {"tool": "count_record"}, {"say": SECRET})
    del api.headers["traceparent"]
    traces.exporter.clear()

    working = asyncio.create_task(server.keep_working())
    await chatting.ended(asked)
    run = await traces.one("run")
    await stopped(working)

    parts = [traces.named(name)[0] for name in ("tool count_record", "recorder", "finish_run")]
    assert {span.context.trace_id for span in (run, *parts)} == {int("a" * 32, 16)}
    assert is_part(parts[0], run)
    assert run.attributes is not None
    assert run.attributes["agent"] == "scripted"
    assert SECRET not in traces.text()


async def test_a_workflow_is_traced_to_its_end(traces: Traces, api: Api) -> None:
    workflows = Workflows(api)
    answer = agent("answer", {"say": SECRET}, needs=["count"])
    await workflows.save(tool("count", "count_record"), answer)
    api.headers["traceparent"] = CALLER
    started = await workflows.start()
    del api.headers["traceparent"]
    traces.exporter.clear()

    working = asyncio.create_task(server.keep_working())
    ended = await workflows.ended(started)
    asked = await traces.one("run")
    await stopped(working)

    assert ended["status"] == "completed"
    counted, heard = traces.named("node")
    for span, node in ((counted, "count"), (heard, "answer")):
        assert span.attributes == {"run": started["id"], "node": node}
    # Of several of that name, the node's.
    parts = [traces.named(name)[0] for name in ("take_up", "finish", "hear_agent")]
    assert [parent(part) for part in parts] == [
        span.context.span_id for span in (counted, counted, heard)
    ]
    assert {span.context.trace_id for span in (counted, asked, heard)} == {int("a" * 32, 16)}
    assert SECRET not in traces.text()


async def test_what_runs_write_together_is_part_of_each(traces: Traces, api: Api, key: str) -> None:
    chatting, shared = Chatting(api, key), Recorder()
    places = [f"00-{letter * 32}-{letter * 16}-01" for letter in "ab"]
    scribes = []
    for place in places:
        api.headers["traceparent"] = place
        asked = await chatting.ask(await chatting.open())
        commission = await in_database(_taken_up, asked["message_id"])
        scribes.append(RunScribe(commission, shared))
    for scribe in scribes:
        await scribe.status("Looking")
    await asyncio.gather(*(scribe.written() for scribe in scribes))

    (record,) = traces.named("recorder")
    (link,) = record.links
    assert [record.context.trace_id, link.context.trace_id] == [
        int(place.split("-")[1], 16) for place in places
    ]


def _taken_up(question: str) -> Commission:
    commission = working.take_up(AgentRun.objects.get(question__public_id=question).pk)
    assert commission is not None
    return commission


async def test_nothing_is_traced_while_nobody_takes_it(api: Api, key: str) -> None:
    chatting = Chatting(api, key)
    await chatting.ask(await chatting.open(), {"say": "Yes."})

    assert [run.trace async for run in AgentRun.objects.all()] == [""]
    assert tracing.span("a") is tracing.span("b", begins=True)


class Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert isinstance(self.server, Receiver)
        self.server.heard.append((self.path, body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class Receiver(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Collector)
        self.heard: list[tuple[str, bytes]] = []


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=[0.05])
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


async def test_traces_go_where_the_environment_says(
    api: Api, receiver: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{receiver.server_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    settings.TRACES_TO = address
    with telemetry.taking_traces():
        await knock("/healthz")

    ((path, body),) = receiver.heard
    assert path == "/v1/traces"
    assert b"GET /healthz" in body
    assert b"agentpipe" in body
    assert not tracing.is_on()


def test_without_the_packages_the_start_stops_with_a_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRACES_TO = "http://127.0.0.1:4318"
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)

    with pytest.raises(BadSetting, match=r"OTEL_EXPORTER_OTLP_ENDPOINT .* \(uv sync --extra"):
        telemetry.taking_traces().__enter__()
