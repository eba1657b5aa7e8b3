// Where things have their pages.

/** As the server writes it: an id may hold slashes, which stay. */
export function conversationPage(id) {
  return `/conversations/${encodeURI(id).replace(/[?#]/g, encodeURIComponent)}`;
}

export function chatPage(id) {
  return `/chats/${encodeURIComponent(id)}`;
}

export function runPage(id) {
  return `/runs/${encodeURIComponent(id)}`;
}

export function importPage(id) {
  return `/import/${id}`;
}
