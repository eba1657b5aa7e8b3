// What has just happened, said in passing: toast("Link copied"). Bad news stays until it is closed.

const SHOWN_FOR_MS = 6_000;
const MOST_SHOWN = 4;

export function toast(words, { tone = "good" } = {}) {
  const item = document.createElement("p");
  item.className = "toast";
  item.dataset.tone = tone;
  item.append(words);
  if (tone === "bad") item.append(closing(item));
  else setTimeout(() => item.remove(), SHOWN_FOR_MS);
  // It is there from the start: what comes into it is read out.
  const list = document.querySelector(".toasts");
  list.append(item);
  const passing = list.querySelectorAll('[data-tone="good"]');
  for (const old of [...passing].slice(0, -MOST_SHOWN)) old.remove();
}

function closing(item) {
  const button = document.createElement("button");
  button.className = "button button--quiet";
  button.type = "button";
  button.textContent = "Close";
  button.addEventListener("click", () => item.remove());
  return button;
}
