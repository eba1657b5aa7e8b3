"""Chats, questions and runs as clients send and see them."""

from typing import Any

from rest_framework import serializers

from agents import events
from agents.backends.base import Agent
from agents.models import AgentRun, Chat, Person
from conversations.models import Message
from streaming.events import iso

Shape = dict[str, Any]

LONGEST_TITLE = 200
NEW_CHAT = "New chat"
LONGEST_PROMPT = 200_000


class PersonSerializer(serializers.Serializer[Person]):
    user_id = serializers.CharField()
    name = serializers.CharField(allow_null=True)
    email = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    last_active = serializers.DateTimeField()

    def to_representation(self, instance: Person) -> Shape:
        return {
            "user_id": instance.user_id,
            "name": instance.name,
            "email": instance.email,
            "created_at": iso(instance.created_at),
            "last_active": iso(instance.last_active),
        }


class ChatSerializer(serializers.Serializer[Chat]):
    chat_id = serializers.CharField()
    user_id = serializers.CharField()
    title = serializers.CharField()
    agent_id = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    message_count = serializers.IntegerField()

    def to_representation(self, instance: Chat) -> Shape:
        conversation = instance.conversation
        return {
            "chat_id": conversation.public_id,
            "user_id": instance.person.user_id,
            "title": conversation.name,
            "agent_id": instance.agent_id,
            "created_at": iso(conversation.created_at),
            "updated_at": iso(conversation.updated_at),
            "message_count": conversation.total_messages,
        }


class NewChatSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=LONGEST_TITLE, default=NEW_CHAT)
    agent_id = serializers.CharField(max_length=100, default="default")
    metadata = serializers.DictField(required=False)


class ChatEditSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=LONGEST_TITLE)


class ChatMessageSerializer(serializers.Serializer[Message]):
    message_id = serializers.CharField()
    chat_id = serializers.CharField()
    role = serializers.ChoiceField(["user", "assistant"])
    content = serializers.CharField()
    status = serializers.ChoiceField(["pending", "processing", "completed", "error", "cancelled"])
    metadata = serializers.JSONField()
    created_at = serializers.DateTimeField()
    processing_time_ms = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(required=False)

    def to_representation(self, instance: Message) -> Shape:
        shape = {
            "message_id": instance.public_id,
            "chat_id": instance.conversation.public_id,
            "role": instance.role,
            "content": instance.content,
            "status": instance.status,
            "metadata": instance.metadata,
            "created_at": iso(instance.timestamp),
            "processing_time_ms": instance.duration_ms,
        }
        failure = getattr(instance, "failure", None)
        return {**shape, "error": failure} if instance.status == "error" and failure else shape


class QuestionSerializer(serializers.Serializer[Any]):
    content = serializers.CharField(max_length=LONGEST_PROMPT, trim_whitespace=False)
    metadata = serializers.DictField(default=dict)
    agent_id = serializers.CharField(max_length=100, required=False)


class AskedSerializer(serializers.Serializer[Any]):
    message_id = serializers.CharField()
    answer_id = serializers.CharField()
    stream_url = serializers.CharField()


class NewRunSerializer(serializers.Serializer[Any]):
    agentId = serializers.CharField(max_length=100, default="default")
    prompt = serializers.CharField(max_length=LONGEST_PROMPT, trim_whitespace=False)
    metadata = serializers.DictField(default=dict)


class RunSerializer(serializers.Serializer[AgentRun]):
    id = serializers.CharField()
    projectId = serializers.CharField()
    agentId = serializers.CharField()
    agentName = serializers.CharField()
    model = serializers.CharField(allow_null=True)
    conversationId = serializers.CharField(allow_null=True)
    messageId = serializers.CharField(allow_null=True)
    answerId = serializers.CharField(allow_null=True)
    prompt = serializers.CharField()
    status = serializers.ChoiceField(AgentRun.Status.choices)
    output = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    toolCalls = serializers.IntegerField()
    inputTokens = serializers.IntegerField()
    outputTokens = serializers.IntegerField()
    totalTokens = serializers.IntegerField()
    cost = serializers.FloatField()
    isEstimated = serializers.BooleanField()
    attempts = serializers.IntegerField(help_text="How many workers have taken it up")
    durationMs = serializers.IntegerField(allow_null=True)
    createdAt = serializers.DateTimeField()
    startedAt = serializers.DateTimeField(allow_null=True)
    finishedAt = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: AgentRun) -> Shape:
        return events.run_shape(instance)


class RunAnswerSerializer(serializers.Serializer[Any]):
    run = RunSerializer()


class ProgressGivenSerializer(serializers.Serializer[Any]):
    status = serializers.CharField(required=False)
    percentage = serializers.FloatField(required=False, min_value=0, max_value=100)
    currentStep = serializers.IntegerField(required=False, min_value=0)
    totalSteps = serializers.IntegerField(required=False, min_value=0)
    estimatedTimeRemaining = serializers.FloatField(
        required=False, allow_null=True, min_value=0, help_text="In seconds"
    )
    tokensUsed = serializers.IntegerField(required=False, min_value=0)
    cost = serializers.FloatField(required=False, min_value=0)
    content = serializers.CharField(required=False, help_text="Told to followers, and not kept")
    reasoning = serializers.CharField(required=False, help_text="The same")
    confidence = serializers.FloatField(required=False, min_value=0, max_value=1)


class ProgressSerializer(serializers.Serializer[Any]):
    agentId = serializers.CharField()
    status = serializers.CharField()
    percentage = serializers.FloatField()
    currentStep = serializers.IntegerField()
    totalSteps = serializers.IntegerField()
    estimatedTimeRemaining = serializers.FloatField(allow_null=True)
    tokensUsed = serializers.IntegerField()
    cost = serializers.FloatField()
    lastUpdated = serializers.DateTimeField()


class ProjectProgressSerializer(serializers.Serializer[Any]):
    overall = serializers.FloatField()
    agents = ProgressSerializer(many=True)
    estimatedCompletion = serializers.DateTimeField(allow_null=True)


class ProgressPointSerializer(serializers.Serializer[Any]):
    agentId = serializers.CharField()
    percentage = serializers.FloatField()
    timestamp = serializers.DateTimeField()


class ProgressHistorySerializer(serializers.Serializer[Any]):
    items = ProgressPointSerializer(many=True)
    has_more = serializers.BooleanField()


class StepSerializer(serializers.Serializer[Any]):
    """A step of an answer: what else it has, its `type` says."""

    v = serializers.IntegerField()
    type = serializers.ChoiceField(events.STEP_KINDS)
    id = serializers.CharField()
    ts = serializers.DateTimeField()


class AgentSerializer(serializers.Serializer[Agent]):
    id = serializers.CharField()
    name = serializers.CharField()
    model = serializers.CharField(allow_null=True)
    tools = serializers.ListField(child=serializers.CharField())

    def to_representation(self, instance: Agent) -> Shape:
        return {
            "id": instance.id,
            "name": instance.name,
            "model": instance.model or None,
            "tools": list(instance.tools),
        }


class AgentsSerializer(serializers.Serializer[Any]):
    items = AgentSerializer(many=True)


class CancelledSerializer(serializers.Serializer[Any]):
    message_id = serializers.CharField()
    status = serializers.ChoiceField(["cancelled"])


class CommandSerializer(serializers.Serializer[Any]):
    agentId = serializers.CharField(max_length=100)
    message = serializers.CharField(max_length=LONGEST_PROMPT, trim_whitespace=False)
    conversationId = serializers.CharField(max_length=200, required=False, allow_null=True)
