// Types of the messages, made of their JSON Schemas by json-schema-to-typescript.
import { compile } from "json-schema-to-typescript";
import type { Contracts } from "../src/contracts.js";

/** File name -> text: one for each view of each version, and an index of them all. */
export async function messageFiles(contracts: Contracts): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const rows: string[] = [];
  for (const [name, { versions }] of Object.entries(contracts.schemas.types)) {
    for (const { version, writer, reader } of versions) {
      const label = `${name}.v${version}`;
      const typeName = `${pascalCase(name)}V${version}`;
      files[`${label}.sent.ts`] = await typesOf(contracts, writer, typeName);
      files[`${label}.received.ts`] = await typesOf(contracts, reader, typeName);
      const [sent, received] = ["sent", "received"].map(
        (view) => `import("./${label}.${view}.js").${typeName}`,
      );
      rows.push(`  "${label}": { sent: ${sent}; received: ${received} };`);
    }
  }
  const doc =
    "/** What is sent, and what has to be taken, by name and version of the message type. */";
  files["messages.ts"] = [doc, "export interface Messages {", ...rows, "}", ""].join("\n");
  return files;
}

async function typesOf(contracts: Contracts, file: string, typeName: string): Promise<string> {
  // A schema's title names its type; ours has the version in it.
  return compile({ ...contracts.schema(file), title: typeName }, typeName, { bannerComment: "" });
}

function pascalCase(name: string): string {
  const words = name.split(/[^A-Za-z0-9]+/);
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}
