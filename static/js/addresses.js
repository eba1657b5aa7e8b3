// Where things have their pages.

/** An id may hold slashes, which stay. */
export function conversationPage(id) {
  return `/conversations/${id.split("/").map(encodeURIComponent).join("/")}`;
}

export function chatPage(id) {
  return `/chats/${encodeURIComponent(id)}`;
}

export function importPage(id) {
  return `/import/${id}`;
}
