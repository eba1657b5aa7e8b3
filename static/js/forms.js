// For every page: a form is sent once, and one that comes back is read from where it matters. Forms
// that an element sends by itself are the element's.

const A_MOMENT_MS = 100;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.ariaBusy === "true") event.preventDefault();
  form.ariaBusy = "true";
});

// The browser may have kept the page as it was left, while its form went.
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  for (const form of document.forms) form.ariaBusy = null;
});

// Not before: a browser that scrolls to the part that the address names takes the focus away.
addEventListener("load", () => document.querySelector("main [aria-invalid=true]")?.focus());

// What the server says of it stands there from the start; what is read out is what changes.
for (const said of document.querySelectorAll("[data-said]")) {
  const words = said.textContent;
  said.textContent = "";
  setTimeout(() => (said.textContent = words), A_MOMENT_MS);
}
