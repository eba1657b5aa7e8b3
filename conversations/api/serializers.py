"""The shapes of history as documents describe them; `conversations.events` makes the values."""

from typing import Any

from rest_framework import serializers

from conversations import events
from conversations.models import Conversation, Message, Participant
from conversations.search.finding import Found, Match

Shape = dict[str, Any]


class ParticipantSerializer(serializers.Serializer[Participant]):
    agentId = serializers.CharField()
    agentType = serializers.CharField()
    agentName = serializers.CharField()
    agentVersion = serializers.CharField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    prompt = serializers.CharField(allow_null=True)
    announcement = serializers.CharField(allow_null=True)
    settings = serializers.JSONField()

    def to_representation(self, instance: Participant) -> Shape:
        return events.participant_shape(instance)


class ConversationSerializer(serializers.Serializer[Conversation]):
    id = serializers.CharField()
    projectId = serializers.CharField()
    kind = serializers.ChoiceField(Conversation.Kind.choices)
    name = serializers.CharField()
    mode = serializers.CharField()
    status = serializers.ChoiceField(Conversation.Status.choices)
    source = serializers.CharField()  # type: ignore[assignment]  # also an option of a Field
    initialPrompt = serializers.CharField()
    maxTurns = serializers.IntegerField(allow_null=True)
    metadata = serializers.JSONField()
    notes = serializers.CharField()
    participants = ParticipantSerializer(many=True)
    totalMessages = serializers.IntegerField()
    totalTokens = serializers.IntegerField()
    totalCost = serializers.FloatField()
    totalDuration = serializers.IntegerField(help_text="Milliseconds")
    summary = serializers.JSONField(allow_null=True)
    systemInfo = serializers.JSONField(allow_null=True)
    errorMessage = serializers.CharField(allow_null=True)
    startedAt = serializers.DateTimeField()
    completedAt = serializers.DateTimeField(allow_null=True)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()

    def to_representation(self, instance: Conversation) -> Shape:
        return events.conversation_shape(
            instance, list(instance.participants.all()), project=instance.project.slug
        )


class ConversationEditSerializer(serializers.Serializer[Conversation]):
    name = serializers.CharField(max_length=200, required=False)
    notes = serializers.CharField(
        max_length=100_000, required=False, allow_blank=True, trim_whitespace=False
    )
    metadata = serializers.DictField(
        required=False, help_text="What is null goes, what is not named stays"
    )

    def validate(self, attrs: Shape) -> Shape:
        if not attrs:
            raise serializers.ValidationError(f"Give one of {', '.join(self.fields)}")
        return attrs


class MessageSerializer(serializers.Serializer[Message]):
    id = serializers.CharField()
    conversationId = serializers.CharField()
    agentId = serializers.CharField()
    agentName = serializers.CharField()
    agentType = serializers.CharField()
    agentVersion = serializers.CharField(allow_null=True)
    role = serializers.CharField()
    content = serializers.CharField()
    timestamp = serializers.DateTimeField()
    sequenceNumber = serializers.IntegerField()
    turnNumber = serializers.IntegerField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    duration = serializers.IntegerField(allow_null=True, help_text="Milliseconds")
    inputTokens = serializers.IntegerField(allow_null=True)
    outputTokens = serializers.IntegerField(allow_null=True)
    totalTokens = serializers.IntegerField(allow_null=True)
    cost = serializers.FloatField(allow_null=True)
    status = serializers.CharField()
    metadata = serializers.JSONField()

    def to_representation(self, instance: Message) -> Shape:
        return events.message_shape(instance, conversation=instance.conversation.public_id)


class MatchSerializer(serializers.Serializer[Match]):
    messageId = serializers.CharField(allow_null=True)
    field = serializers.ChoiceField(["name", "prompt", "content"])
    text = serializers.CharField()
    highlights = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2),
        help_text="From and up to, in characters (code points) of the text",
    )

    def to_representation(self, instance: Match) -> Shape:
        return {
            "messageId": instance.message,
            "field": instance.field,
            "text": instance.snippet.text,
            "highlights": instance.snippet.highlights,
        }


class FoundSerializer(ConversationSerializer):
    """A conversation of the list; one that was searched for says where it matches."""

    matches = MatchSerializer(many=True, required=False, help_text="Only with q: the best three")

    def to_representation(self, instance: Conversation | Found) -> Shape:
        if isinstance(instance, Conversation):
            return super().to_representation(instance)
        serializer = MatchSerializer()
        return {
            **super().to_representation(instance.conversation),
            "matches": [serializer.to_representation(match) for match in instance.matches],
        }
