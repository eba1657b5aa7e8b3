// <run-list> shows which agents are at work, and what the last ones have come to.

import { chatPage, runPage } from "../addresses.js";
import { reduceRuns } from "../dashboard.js";
import { dollars, thousands } from "../figures.js";
import { hueOf } from "../hue.js";
import { LiveList, part, showStatus } from "./live-list.js";

const LONGEST_PROMPT = 160;

class RunList extends LiveList {
  reduce(runs, frame) {
    return reduceRuns(runs, frame);
  }

  fill(row, run) {
    if (run.agentId !== undefined) this.#introduce(row, run);
    if (run.status !== undefined) showStatus(row, run.status);
    if (run.totalTokens !== undefined) {
      const cost = run.cost ? ` · ${dollars(run.cost)}` : "";
      part(row, "figures").textContent = `${thousands(run.totalTokens)} tokens${cost}`;
    }
    const bar = part(row, "progress");
    bar.hidden = !run.percentage || run.status !== "running";
    bar.value = run.percentage ?? 0;
  }

  #introduce(row, { id, agentId, agentName, prompt, conversationId }) {
    const agent = part(row, "agent");
    agent.textContent = agentName;
    agent.dataset.hue = hueOf(agentId);
    part(row, "prompt").textContent = shortened(prompt);
    part(row, "prompt").href = runPage(id);
    const chat = part(row, "chat");
    chat.hidden = !conversationId;
    if (conversationId) chat.href = chatPage(conversationId);
  }
}

function shortened(prompt) {
  const start = Array.from(prompt.slice(0, 2 * LONGEST_PROMPT));
  return start.length > LONGEST_PROMPT ? `${start.slice(0, LONGEST_PROMPT - 1).join("")}…` : prompt;
}

customElements.define("run-list", RunList);
