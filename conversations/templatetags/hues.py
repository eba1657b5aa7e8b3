"""Which colour of static/css/agents.css is an agent's; static/js/hue.js counts the same."""

from django import template

HUES = 12

register = template.Library()


@register.filter
def hue(agent_id: str) -> int:
    """FNV-1a of the id's UTF-8."""
    value = 0x811C9DC5
    for byte in agent_id.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value % HUES
