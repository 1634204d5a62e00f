// Judges an AsyncAPI document with the official parser.
// stdin: the document; argv: the folder that has node_modules. stdout: the diagnostics, [] = none.
"use strict";

const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const path = require("node:path");

const need = createRequire(path.join(process.argv[2], "package.json"));
const { Parser } = need("@asyncapi/parser");

async function main() {
  const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
  const found = diagnostics.map(({ code, message, path: where, severity }) => ({
    code,
    message,
    severity,
    path: where.join("/"),
  }));
  const messages = document ? document.allMessages().all().map((each) => each.name()) : [];
  process.stdout.write(JSON.stringify({ parsed: Boolean(document), messages, diagnostics: found }));
}

main();
