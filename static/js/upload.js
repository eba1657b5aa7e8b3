// Sending a file and seeing how far it is: fetch() cannot tell, XMLHttpRequest can.

const LONGEST_WAIT_S = 120;

/** The server's answer; waits where it is asked to, and throws an Error with a sentence. */
export async function send(door, file, { onWait = () => {}, ...options }) {
  for (;;) {
    const { status, body, waitS } = await sendOnce(door, file, options);
    if (status === 202) return body;
    if (status !== 429 || waitS > LONGEST_WAIT_S) throw new Error(sentenceOf(status, body));
    onWait(waitS);
    await pause(waitS, options.signal);
  }
}

function sendOnce(door, file, { token, key, signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file);
    request.open("POST", door);
    request.setRequestHeader("X-CSRFToken", token);
    request.setRequestHeader("Idempotency-Key", key);
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    request.onload = () => {
      const waitS = Number(request.getResponseHeader("Retry-After")) || 1;
      resolve({ status: request.status, body: parsed(request.responseText), waitS });
    };
    request.onerror = () => reject(new Error("The connection broke"));
    request.onabort = () => reject(new Error("Left out"));
    signal.addEventListener("abort", () => request.abort());
    if (signal.aborted) reject(new Error("Left out"));
    else request.send(form);
  });
}

function sentenceOf(status, body) {
  if (status === 401) return "Your session has ended: sign in again";
  return body?.error ?? `The server answered with ${status}`;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const clock = setTimeout(resolve, seconds * 1000);
    const stop = () => {
      clearTimeout(clock);
      reject(new Error("Left out"));
    };
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
  });
}
