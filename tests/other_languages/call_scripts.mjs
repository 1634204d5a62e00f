// Calls scripts through the client of the TypeScript example, one after the other.
// argv: the built example. stdin: {"url": ..., "calls": [{"name", "keys", "given"}, ...]}.
// stdout: a JSON list with {"reply": ...}, bytes as text, or {"error": message} for each.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const example = process.argv[2];
const built = (name) => import(pathToFileURL(join(example, "dist", "src", `${name}.js`)).href);
const { Redis } = createRequire(join(example, "package.json"))("ioredis");
const { Contracts } = await built("contracts");
const { ScriptRunner } = await built("scripts");

const { url, calls } = JSON.parse(readFileSync(0, "utf8"));
const redis = new Redis(url);
const scripts = new ScriptRunner(redis, new Contracts(join(example, "contracts")));
const answers = [];
for (const { name, keys, given } of calls) {
  try {
    answers.push({ reply: await scripts.call(name, keys, given) });
  } catch (error) {
    answers.push({ error: error.message });
  }
}
redis.disconnect();
const asText = (_, value) =>
  value?.type === "Buffer" ? Buffer.from(value.data).toString() : value;
process.stdout.write(JSON.stringify(answers, asText));
