"""What an agent can do: look into the record, keep files of its own, ask another agent."""

from agents.tools.box import Workplace as Workplace
from agents.tools.box import toolbox as toolbox
