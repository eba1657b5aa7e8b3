"""Which colour of static/css/agents.css is an agent's; static/js/hue.js counts the same."""

from django import template

HUES = 24
# With this one, the agents that are met most often have each their own.
BASIS = 4525

register = template.Library()


@register.filter
def hue(agent_id: str) -> int:
    """FNV-1a of the id's UTF-8 mixed: one letter makes all the difference."""
    value = BASIS
    for byte in agent_id.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        value = (value ^ value >> shift) * factor & 0xFFFFFFFF
    return value * HUES >> 32
