// Makes src/generated/ of contracts/: types of the messages, and of the scripts that carry them.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Contracts } from "../src/contracts.js";
import { messageFiles } from "./messages.js";
import { scriptTypes } from "./scripts.js";

const root = process.cwd();
const out = join(root, "src", "generated");

const contracts = new Contracts(join(root, "contracts"));
const files = { ...(await messageFiles(contracts)), "scripts.ts": scriptTypes(contracts.manifest) };

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
for (const [name, text] of Object.entries(files)) {
  await writeFile(join(out, name), `// Generated from contracts/; do not edit.\n${text}`);
}
console.log(`${Object.keys(files).length} files written in ${out}`);
