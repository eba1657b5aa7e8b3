// The card of one import, filled with what the server tells of it.

const numbers = new Intl.NumberFormat("en-US");
const UNITS = ["bytes", "KB", "MB", "GB", "TB"];

export function isOpen({ status }) {
  return status === "queued" || status === "running";
}

export function fillImport(card, job, { mostErrors }) {
  const part = (name) => card.querySelector(`[data-part="${name}"]`);
  card.toggleAttribute("data-open", isOpen(job));
  part("name").textContent = job.file_name || "A file without a name";
  part("status").textContent = job.status;
  part("status").dataset.status = job.status;
  part("progress").value = job.percentage;
  part("progress").hidden = !isOpen(job);
  part("cancel").hidden = !isOpen(job);
  for (const name of ["new", "repaired", "known", "failed"]) {
    part(name).textContent = numbers.format(job[name]);
  }
  part("kind").textContent = job.kind;
  part("kind").hidden = !job.kind;
  part("size").textContent = sizeOf(job.size);
  part("size").hidden = false;
  part("cancel").action = `/import/${job.id}/cancel`;
  part("link").href = part("more").href = `/import/${job.id}`;
  fillErrors(part, job.errors.slice(0, mostErrors));
  part("more").hidden = job.failed <= Math.min(job.errors.length, mostErrors);
}

/** Errors are only ever added, so that those which stand there stay. */
function fillErrors(part, errors) {
  const list = part("errors");
  list.hidden = !errors.length;
  if (list.children.length > errors.length) return;
  for (const { line, error } of errors.slice(list.children.length)) {
    const item = document.createElement("li");
    const place = document.createElement("b");
    const words = document.createElement("bdi");
    if (line) place.textContent = `Line ${line}`;
    words.textContent = error;
    item.append(place, " ", words);
    list.append(item);
  }
}

function sizeOf(bytes) {
  const unit = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1);
  const amount = bytes / 1024 ** unit;
  return `${unit ? amount.toFixed(1) : amount}\u00a0${UNITS[unit]}`;
}
