// Judges payloads by JSON Schemas with Ajv in strict mode, formats on.
// stdin: one line of JSON per schema, {"dialect": "2020" | "draft-07", "schema": {}, "payloads": ["text", ...]}.
// stdout: one line per schema, {"error": string | null, "verdicts": [true, false, null, ...]}; null: the text is no JSON.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const need = createRequire(path.join(process.argv[2], "package.json"));
const dialects = { "2020": need("ajv/dist/2020"), "draft-07": need("ajv") };
const addFormats = need("ajv-formats");

function judge({ dialect, schema, payloads }) {
  let check;
  try {
    const Ajv = dialects[dialect].default;
    const ajv = new Ajv({ strict: true, allErrors: false });
    addFormats(ajv);
    check = ajv.compile(schema);
  } catch (error) {
    return { error: String(error.message), verdicts: [] };
  }
  const verdicts = payloads.map((text) => {
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      return null;
    }
    return check(value);
  });
  return { error: null, verdicts };
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(JSON.stringify(judge(JSON.parse(line))) + "\n");
});
