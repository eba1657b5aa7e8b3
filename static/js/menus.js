// The menus and the dialog of a header open without scripts, as <details class="menu"> and
// <dialog popover>. With scripts they also close as one expects.

/** The answer is a function that leaves them alone again. */
export function tendMenus(root) {
  const listening = new AbortController();
  const { signal } = listening;
  document.addEventListener("click", ({ target }) => closeOthers(root, target), { signal });
  root.addEventListener("keydown", leaveMenu, { signal });
  makeModal(root.querySelector("dialog"), root);
  return () => listening.abort();
}

/** What was to be done in it is done: whoever is still in it is back at the button that opened it,
 * and whoever went on meanwhile stays where they are. */
export function closeMenu(place) {
  const menu = place.closest(".menu[open]");
  if (!menu) return;
  const isInside = menu.contains(document.activeElement);
  menu.open = false;
  if (isInside) menu.querySelector("summary").focus();
}

function closeOthers(root, target) {
  for (const menu of root.querySelectorAll(".menu[open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
}

function leaveMenu({ key, target }) {
  if (key === "Escape") closeMenu(target);
}

function makeModal(dialog, root) {
  dialog.removeAttribute("popover");
  for (const button of root.querySelectorAll(`[popovertarget="${dialog.id}"]`)) {
    button.removeAttribute("popovertarget");
    button.addEventListener("click", () => (dialog.open ? dialog.close() : dialog.showModal()));
  }
}
