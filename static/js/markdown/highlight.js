// Colours for code. The highlighter and each language are loaded when they are met for the first
// time; a language that is not there stays plain.

import { safeColours } from "./sanitize.js";

const VENDOR = "../../vendor/highlight";

// Beyond this, colours cost more than they tell.
const MOST_CHARACTERS = 50_000;

const LANGUAGES = new Set([
  ...["bash", "c", "cpp", "csharp", "css", "diff", "dockerfile", "go", "graphql", "ini", "java"],
  ...["javascript", "json", "kotlin", "lua", "makefile", "markdown", "perl", "php", "python", "r"],
  ...["ruby", "rust", "scss", "shell", "sql", "swift", "typescript", "xml", "yaml"],
]);

const ALSO_CALLED = new Map(
  Object.entries({
    bash: "sh zsh",
    cpp: "c++ cc h hpp",
    csharp: "cs c#",
    diff: "patch",
    dockerfile: "docker",
    go: "golang",
    ini: "toml",
    javascript: "js jsx mjs cjs",
    json: "jsonl ndjson jsonc",
    makefile: "make",
    markdown: "md",
    python: "py",
    ruby: "rb",
    rust: "rs",
    shell: "console",
    typescript: "ts tsx",
    xml: "html svg vue",
    yaml: "yml",
  }).flatMap(([language, names]) => names.split(" ").map((name) => [name, language])),
);

const loading = new Map();

/** Colour the code inside of an element, once what it takes is here. */
export async function highlight(element) {
  const fences = element.querySelectorAll("code[class]");
  await Promise.all(Array.from(fences, colour));
}

async function colour(code) {
  const name = code.className.replace("language-", "");
  const language = ALSO_CALLED.get(name) ?? name;
  const text = code.textContent;
  if (!LANGUAGES.has(language) || text.length > MOST_CHARACTERS) return;
  const core = await load(language);
  if (!core || code.textContent !== text) return;
  code.replaceChildren(safeColours(core.highlight(text, { language }).value));
}

function load(language) {
  if (!loading.has(language)) loading.set(language, loaded(language));
  return loading.get(language);
}

async function loaded(language) {
  try {
    const [core, grammar] = await Promise.all([
      import(`${VENDOR}/core.min.js`),
      import(`${VENDOR}/languages/${language}.min.js`),
    ]);
    core.default.registerLanguage(language, grammar.default);
    return core.default;
  } catch {
    loading.delete(language); // the network may be back at the next piece of code
    return null;
  }
}
