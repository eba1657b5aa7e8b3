// Make one element like another, leaving alone what is alike already: a selection, a scroll
// position and a focus inside of it stay.

export function become(there, wanted) {
  if (!isSameShell(there, wanted)) return there.replaceWith(wanted);
  let old = there.firstChild;
  for (const node of [...wanted.childNodes]) {
    const next = old?.nextSibling ?? null;
    if (!old) there.append(node);
    else if (node.nodeType === Node.TEXT_NODE && old.nodeType === Node.TEXT_NODE) say(old, node.data);
    else become(old, node);
    old = next;
  }
  while (old) {
    const next = old.nextSibling;
    old.remove();
    old = next;
  }
}

function isSameShell(one, other) {
  if (one.nodeType !== Node.ELEMENT_NODE || other.nodeType !== Node.ELEMENT_NODE) return false;
  return one.cloneNode(false).isEqualNode(other.cloneNode(false));
}

function say(text, words) {
  if (text.data === words) return;
  // Written anew, the text would drop the selection that begins or ends in it.
  if (words.startsWith(text.data)) text.appendData(words.slice(text.length));
  else text.data = words;
}
