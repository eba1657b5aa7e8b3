// <secret-once address="/settings"> holds what is shown this once: it takes the focus, and the
// address of the form that made it out of the history, or a reload would make another.

class SecretOnce extends HTMLElement {
  connectedCallback() {
    history.replaceState(null, "", this.getAttribute("address"));
    this.focus();
  }
}

customElements.define("secret-once", SecretOnce);
