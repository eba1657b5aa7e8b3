// What others may build on: live streams that lose nothing. README.md beside package.json says how.

export { activityOf, ANSWER_TYPES, emptyAnswer, isFinished, reduceAnswer } from "./answer.js";
export { Cursor, Retry, seqOf, START } from "./resume.js";
export { openSocket } from "./socket.js";
export { openSource } from "./source.js";
