// Judges CloudEvents with the SDK for JavaScript of the CloudEvents project, and makes some.
// argv: the folder that has node_modules. stdin: one line of JSON per event.
// stdout: first a line with events that the SDK made itself, in structured JSON; then one line per event,
// {"schema": faults, "sdk": error | null, "json": text | null}: what the official JSON Schema says of it, as the SDK's
// build has compiled it; what the SDK says in strict mode; and how the SDK writes it again.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const need = createRequire(path.join(process.argv[2], "package.json"));
const { CloudEvent, HTTP } = need("cloudevents");
const isEvent = need("cloudevents/dist/schema/v1.js");

function judge(event) {
  const schema = isEvent(event)
    ? []
    : isEvent.errors.map(({ instancePath, message }) => `${instancePath} ${message}`);
  try {
    return { schema, sdk: null, json: new CloudEvent(event, true).toString() };
  } catch (error) {
    return { schema, sdk: String(error), json: null };
  }
}

const made = [
  new CloudEvent({ type: "orders.created", source: "/shop", data: { number: 7, note: "é✨" } }),
  new CloudEvent({
    type: "a",
    source: "urn:x",
    id: "1",
    subject: "group",
    data: [1, null],
    msgversion: 2,
  }),
  new CloudEvent({
    type: "a",
    source: "b",
    id: "2",
    data: new TextEncoder().encode('{"number": 8}'),
  }),
];
console.log(JSON.stringify(made.map((event) => HTTP.structured(event).body)));
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  console.log(JSON.stringify(judge(JSON.parse(line))));
});
