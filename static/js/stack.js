// What a plot stacks: whose part of a figure is how large in each hour or day. Pure.

import { HUES, hueOf } from "./hue.js";

const SHARES = { agent: "agentTypesOverTime", model: "modelsOverTime" };
const NAMED_BY = { agent: "agentType", model: "model" };
export const NOT_TOLD = "Not told";
export const OTHERS = "Others";
// Of sums of floating numbers, what is left of nothing.
const NOTHING = 1e-9;
// As css/agents.css goes round the wheel, and how near there look the same in bars.
const WHEEL_STEPS = 7;
const FAR = 3;

/** Names with their colours and amounts of all measures, the largest first, what is left last. */
export function sharesOf(summary, by, measures) {
  const slots = summary.byHour ?? summary.byDay;
  const named = summary[SHARES[by]].map((share) => ({
    name: share[NAMED_BY[by]] || NOT_TOLD,
    amounts: Object.fromEntries(measures.map((measure) => [measure, share[measure]])),
  }));
  const rest = Object.fromEntries(measures.map((measure) => [measure, restOf(slots, named, measure)]));
  const isAll = Object.values(rest).flat().every((amount) => amount === 0);
  return [...withHues(named), ...(isAll ? [] : [{ name: OTHERS, hue: "", amounts: rest }])];
}

/** The heights of a bar's parts: each stands on those before it. */
export function stacked(rows) {
  const heights = [];
  for (const row of rows) {
    const below = heights.at(-1);
    heights.push(row.map((amount, place) => amount + (below?.[place] ?? 0)));
  }
  return heights;
}

function restOf(slots, named, measure) {
  return slots.map((slot, place) => {
    const told = named.reduce((sum, { amounts }) => sum + amounts[measure][place], 0);
    const left = slot[measure] - told;
    return left > NOTHING * slot[measure] ? left : 0;
  });
}

/** Each its own colour, or where another has one like it, the next that is far from all of them. */
function withHues(named) {
  const taken = [];
  return named.map((share) => {
    const first = hueOf(share.name);
    const turn = Array.from({ length: HUES }, (_, step) => (first + step) % HUES);
    const far = (hue) => taken.every((one) => distance(one, hue) >= FAR);
    const hue = turn.find(far) ?? turn.find((one) => !taken.includes(one));
    taken.push(hue);
    return { ...share, hue };
  });
}

/** Colours that follow each other are so many steps of the wheel apart. */
function distance(one, other) {
  const steps = (Math.abs(one - other) * WHEEL_STEPS) % HUES;
  return Math.min(steps, HUES - steps);
}
