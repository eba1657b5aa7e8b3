// The messages of a conversation as the server keeps them, a page at a time, from any place on.

export class MessagePages {
  #address;

  constructor(conversation) {
    this.#address = `/api/conversations/${encodeURIComponent(conversation)}/messages`;
  }

  /** {items, has_more}: what comes behind a message; without an id, the beginning. */
  after(id, size) {
    return this.#read({ after: id, page_size: size });
  }

  /** What stands in front of a message; without an id, the end. */
  before(id, size) {
    return this.#read({ before: id, page_size: size });
  }

  /** From the first message at a time on. */
  at(moment, size) {
    return this.#read({ at: new Date(moment).toISOString(), page_size: size });
  }

  /** From one message on; it stands behind those in front of it. */
  async from(id, size) {
    const { items } = await this.before(id, 1);
    return this.after(items[0]?.id ?? "", size);
  }

  async #read(query) {
    const answer = await fetch(`${this.#address}?${new URLSearchParams(query)}`);
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return answer.json();
  }
}
