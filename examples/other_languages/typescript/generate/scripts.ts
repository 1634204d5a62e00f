// Types of the Lua scripts' arguments and replies, made of the manifest.
import { isConditional, isRecord, isRepeated, optionsOf } from "../src/contracts.js";
import type {
  Argument,
  ConditionalArguments,
  Manifest,
  ScalarType,
  Shape,
} from "../src/contracts.js";

const SENT: Record<ScalarType, string> = {
  int: "number",
  number: "number",
  text: "string",
  bytes: "Buffer | string",
};
const RECEIVED: Record<ScalarType, string> = { ...SENT, bytes: "Buffer" };

/** The text of scripts.ts. */
export function scriptTypes(manifest: Manifest): string {
  const rows = Object.entries(manifest.scripts).flatMap(([name, script]) => [
    `  /** ${script.does} */`,
    `  ${name}: {`,
    `    arguments: ${argumentsType(script.arguments)};`,
    `    reply: ${replyType(script.reply)};`,
    "  };",
  ]);
  return ["/** The scripts by name. */", "export interface Scripts {", ...rows, "}", ""].join("\n");
}

function argumentsType(described: Argument[]): string {
  const counts = new Set(described.filter(isRepeated).map((group) => group.times));
  const always = described.flatMap((each) => {
    if (isConditional(each) || counts.has(each.name)) {
      return []; // a count is the length of its list
    }
    return isRepeated(each)
      ? [`${each.name}: Array<${argumentsType(each.arguments)}>`]
      : [`${each.name}: ${argumentType(each)}`];
  });
  const sometimes = described
    .filter(isConditional)
    .map((group) => conditionalType(group, described));
  const first = always.length > 0 ? `{ ${always.join("; ")} }` : "Record<string, never>";
  return [first, ...sometimes].join(" & ");
}

/** Behind some values of an argument stand more arguments, behind its others none. */
function conditionalType(group: ConditionalArguments, described: Argument[]): string {
  const argument = described.find(
    (each) => !isConditional(each) && each.name === group.where,
  ) as Shape;
  const values = optionsOf(argument).flatMap((each) => ("literal" in each ? [each.literal] : []));
  const others = union(values.filter((each) => !group.is.includes(each)));
  const more = argumentsType(group.arguments);
  return `({ ${group.where}: ${others} } | ({ ${group.where}: ${union(group.is)} } & ${more}))`;
}

function argumentType(shape: Shape): string {
  return optionsOf(shape)
    .map((each) => scalarType(each, SENT))
    .join(" | ");
}

function replyType(shape: Shape): string {
  if ("one_of" in shape) return shape.one_of.map(replyType).join(" | ");
  if ("tuple" in shape) return tupleType(shape.tuple, shape.rest);
  if (!("list" in shape)) return scalarType(shape, RECEIVED);
  const [only, ...others] = shape.list;
  const element =
    only !== undefined && others.length === 0 ? replyType(only) : tupleType(shape.list);
  return `Array<${element}>`;
}

function scalarType(shape: Shape, types: Record<ScalarType, string>): string {
  if ("literal" in shape) return JSON.stringify(shape.literal);
  if ("type" in shape) return types[shape.type];
  throw new Error(`${JSON.stringify(shape)} is no single value`);
}

function tupleType(elements: Shape[], rest?: Shape): string {
  if (rest === undefined && isRecord(elements)) {
    return `{ ${elements.map((each) => `${each.name}: ${replyType(each)}`).join("; ")} }`;
  }
  const types = elements.map((each) =>
    each.name ? `${each.name}: ${replyType(each)}` : replyType(each),
  );
  const more = rest === undefined ? [] : [`...${rest.name ?? "more"}: Array<${replyType(rest)}>`];
  return `[${[...types, ...more].join(", ")}]`;
}

function union(values: string[]): string {
  return values.map((each) => JSON.stringify(each)).join(" | ") || "never";
}
