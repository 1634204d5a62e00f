// The folder that the Python side exports: schemas/ of the messages, and lua/ with the scripts.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What a value looks like on the wire. The list of a `list` is flat: a, b, a, b, ... */
export type Shape = { name?: string; unit?: string; meaning?: string } & (
  | { type: ScalarType }
  | { literal: string }
  | { one_of: Shape[] }
  | { tuple: Shape[]; rest?: Shape }
  | { list: Shape[] }
);
export type ScalarType = "int" | "number" | "text" | "bytes";

/** An argument; or several, that occur again and again, or in some cases only. */
export type Argument = ScalarArgument | RepeatedArguments | ConditionalArguments;
export type ScalarArgument = Shape & { name: string };
export interface RepeatedArguments {
  name: string;
  /** The name of the argument that says how often; or bounds, where the group ends the call. */
  times: string | { min: number; max: number | null };
  arguments: Argument[];
}
export interface ConditionalArguments {
  where: string;
  is: string[];
  arguments: Argument[];
}

export interface Script {
  file: string;
  sha1: string;
  does: string;
  keys: string[];
  arguments: Argument[];
  reply: Shape;
  repeatable: boolean;
}

export interface Manifest {
  format: number;
  scripts: Record<string, Script>;
}

export interface SchemaIndex {
  types: Record<string, { versions: SchemaVersion[] }>;
}
export interface SchemaVersion {
  version: number;
  fingerprint: string;
  writer: string;
  reader: string;
}

export type JsonObject = Record<string, unknown>;

const MANIFEST_FORMAT = 1;

export class Contracts {
  readonly manifest: Manifest;
  readonly schemas: SchemaIndex;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.manifest = this.#json("lua", "manifest.json") as Manifest;
    this.schemas = this.#json("schemas", "index.json") as SchemaIndex;
    if (this.manifest.format !== MANIFEST_FORMAT) {
      throw new Error(
        `the manifest has format ${this.manifest.format}; this program reads ${MANIFEST_FORMAT}`,
      );
    }
  }

  /** What SCRIPT LOAD takes. */
  scriptText(script: Script): string {
    return this.#text("lua", script.file);
  }

  schema(file: string): JsonObject {
    return this.#json("schemas", file) as JsonObject;
  }

  #json(...path: string[]): unknown {
    return JSON.parse(this.#text(...path));
  }

  #text(...path: string[]): string {
    const file = join(this.#folder, ...path);
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      throw new Error(`${file} cannot be read; README.md says how to export it`, { cause: error });
    }
  }
}

export function isRepeated(argument: Argument): argument is RepeatedArguments {
  return "times" in argument;
}

export function isConditional(argument: Argument): argument is ConditionalArguments {
  return "where" in argument;
}

/** The alternatives of a shape: itself, where it has none. */
export function optionsOf(shape: Shape): Shape[] {
  return "one_of" in shape ? shape.one_of : [shape];
}

/** Whether each element has a name: then it is read as an object, else as an array. */
export function isRecord(elements: Shape[]): elements is Array<Shape & { name: string }> {
  return elements.every((each) => each.name !== undefined);
}
