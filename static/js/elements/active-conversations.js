// <active-conversations> shows who is talking now, the latest conversation first.

import { chatPage, conversationPage } from "../addresses.js";
import { reduceActive } from "../dashboard.js";
import { thousands } from "../figures.js";
import { hueOf } from "../hue.js";
import { LiveList, part } from "./live-list.js";

const OF_CONVERSATIONS = /^(conversation|message)\./;

class ActiveConversations extends LiveList {
  reduce(conversations, frame) {
    return reduceActive(conversations, frame);
  }

  isUnclear({ type }) {
    return OF_CONVERSATIONS.test(type);
  }

  fill(row, { id, kind, name, participants, totalMessages, totalTokens }) {
    const link = part(row, "name");
    link.textContent = name || id;
    link.href = kind === "chat" ? chatPage(id) : conversationPage(id);
    part(row, "agents").replaceChildren(...participants.flatMap((agent) => [nameOf(agent), " "]));
    const messages = `${thousands(totalMessages)} ${totalMessages === 1 ? "message" : "messages"}`;
    part(row, "figures").textContent = `${messages} · ${thousands(totalTokens)} tokens`;
  }
}

function nameOf({ agentId, agentName, agentType }) {
  const agent = document.createElement("b");
  agent.className = "agent";
  agent.dataset.hue = hueOf(agentId || agentType);
  agent.textContent = agentName || agentType;
  return agent;
}

customElements.define("active-conversations", ActiveConversations);
