import assert from "node:assert/strict";
import { test } from "node:test";

import { Blocks } from "../../static/js/markdown/blocks.js";

const htmlOf = (text) => new Blocks().append(text).join("");

const EVERYTHING = `# Towers

Stone or *steel*? See [the plan][plan] and <https://example.com/a_b_c>.
A second line\r
Heading by underline
---

- one
- two

  still two
    - [ ] nested
    - [x] done

1. first

    indented code

2. second

> quoted
lazily

| height | cost |
|-------:|:-----|
| 300 m  | much |

\`\`\`python
def build():

    return "<b>"
\`\`\`

    code that is indented

    and goes on

***
<div onclick="x()">

**markup** is text

</div>

[plan]: https://example.com/plan "The plan"
Last words\\
here`;

test("in whichever pieces a text comes, it is the same in the end", () => {
  const whole = new Blocks().append(EVERYTHING);
  for (const size of [1, 2, 3, 7, 20, 100]) {
    const blocks = new Blocks();
    let shown;
    for (let at = 0; at < EVERYTHING.length; at += size) {
      shown = blocks.append(EVERYTHING.slice(at, at + size));
    }
    assert.deepEqual(shown, whole, `pieces of ${size}`);
  }
});

test("at each moment it is what the text so far would be", () => {
  const blocks = new Blocks();
  for (let end = 1; end <= EVERYTHING.length; end++) {
    const shown = blocks.append(EVERYTHING[end - 1]);
    const soFar = EVERYTHING.slice(0, end);
    assert.deepEqual(shown, new Blocks().append(soFar), JSON.stringify(soFar.slice(-40)));
  }
});

test("a block is one element", () => {
  for (const html of new Blocks().append(EVERYTHING)) {
    assert.match(html.trim(), /^<(\w+)[^]*<\/\1>$|^<hr>$/);
  }
});

test("markup in a text is text", () => {
  assert.equal(htmlOf("a <b>bold</b> word"), "<p>a &lt;b&gt;bold&lt;/b&gt; word</p>\n");
  assert.doesNotMatch(htmlOf("<script>alert(1)</script>\n\n<img src=x onerror=alert(1)>"), /<(?!\/?p>)/);
});

test("links lead to the web and nowhere else", () => {
  assert.match(htmlOf("[x](https://example.com/?a=1&b=2)"), /href="https:\/\/example.com\/\?a=1&amp;b=2"/);
  for (const href of ["javascript:alert(1)", "data:text/html,x", "//elsewhere", "/logout", "JaVaScRiPt:1"]) {
    assert.equal(htmlOf(`[x](${href})`), "<p>x</p>\n");
  }
});

test("of our own pages those of conversations can be linked", () => {
  const linked = (href) => htmlOf(`[Towers](${href})`).includes("<a ");

  assert.equal(linked("/conversations/c-1%2Fa.b~c_d"), true);
  for (const href of ["/", "/logout", "/conversations/", "//conversations/a", "/conversations/a/b", "/conversations/a?b"]) {
    assert.equal(linked(href), false, href);
  }
});

test("a picture from elsewhere becomes a link, and one that the text holds is shown", () => {
  assert.equal(htmlOf("![a tower](https://example.com/t.png)"), '<p><a href="https://example.com/t.png">a tower</a></p>\n');
  assert.match(htmlOf("![dot](data:image/png;base64,iVBORw0KGgo=)"), /<img src="data:image\/png;base64,iVBORw0KGgo=" alt="dot">/);
  assert.equal(htmlOf("![x](data:image/svg+xml;base64,AAAA)"), "<p>x</p>\n");
});

test("a link that is defined later is a link", () => {
  const blocks = new Blocks();
  blocks.append("See [the plan].\n\n");
  const shown = blocks.append("More.\n\n[the plan]: https://example.com/\n");

  assert.match(shown[0], /<a href="https:\/\/example.com\/">the plan<\/a>/);
});

test("headings of a text stand below those of a page", () => {
  assert.equal(htmlOf("# one"), "<h3>one</h3>");
  assert.equal(htmlOf("###### six"), "<h6>six</h6>");
});
