// From a script's reply to values, as the manifest describes it: tuples whose elements all have
// names become objects, flat lists become lists of their rows, ints that came as digits numbers.
import { isRecord } from "./contracts.js";
import type { ScalarType, Shape } from "./contracts.js";

/** A reply of another shape than the manifest says. */
export class UnexpectedReply extends Error {}

export function read(shape: Shape, reply: unknown): unknown {
  if ("one_of" in shape) return readFirstThatFits(shape.one_of, reply);
  if ("literal" in shape) return readLiteral(shape.literal, reply);
  if ("type" in shape) return readScalar(shape.type, reply);
  if (!Array.isArray(reply)) throw new UnexpectedReply(`${show(reply)} is no list`);
  return "tuple" in shape ? readTuple(shape.tuple, shape.rest, reply) : readList(shape.list, reply);
}

function readFirstThatFits(options: Shape[], reply: unknown): unknown {
  for (const option of options) {
    try {
      return read(option, reply);
    } catch (error) {
      if (!(error instanceof UnexpectedReply)) throw error;
    }
  }
  throw new UnexpectedReply(`${show(reply)} is none of ${show(options)}`);
}

function readLiteral(literal: string, reply: unknown): string {
  if (text(reply) !== literal) throw new UnexpectedReply(`${show(reply)} is not ${literal}`);
  return literal;
}

function readScalar(type: ScalarType, reply: unknown): string | number | Buffer {
  if (type === "bytes") return reply instanceof Buffer ? reply : Buffer.from(text(reply));
  if (type === "text") return text(reply);
  // Absent, or nonsense that another program wrote into a job: 0, as the scripts take it.
  const number = Number(text(reply));
  return Number.isFinite(number) ? number : 0;
}

function readTuple(elements: Shape[], rest: Shape | undefined, reply: unknown[]): unknown {
  const more = reply.length - elements.length;
  if (more < 0 || (more > 0 && rest === undefined)) {
    throw new UnexpectedReply(`${show(reply)} has not ${elements.length} elements`);
  }
  const values = elements.map((element, at) => read(element, reply[at]));
  if (rest === undefined) return isRecord(elements) ? record(elements, values) : values;
  return [...values, ...reply.slice(elements.length).map((each) => read(rest, each))];
}

function readList(elements: Shape[], reply: unknown[]): unknown[] {
  const [only, ...others] = elements;
  if (only !== undefined && others.length === 0) return reply.map((each) => read(only, each));
  const starts = [...reply.keys()].filter((at) => at % elements.length === 0);
  return starts.map((at) => readTuple(elements, undefined, reply.slice(at, at + elements.length)));
}

function record(elements: Array<Shape & { name: string }>, values: unknown[]): object {
  return Object.fromEntries(elements.map(({ name }, at) => [name, values[at]]));
}

function text(reply: unknown): string {
  if (reply === null) return "";
  if (reply instanceof Buffer) return reply.toString("utf8");
  if (typeof reply === "string" || typeof reply === "number") return String(reply);
  throw new UnexpectedReply(`${show(reply)} is no single value`);
}

function show(value: unknown): string {
  return JSON.stringify(value).slice(0, 200);
}
