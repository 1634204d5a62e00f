// Message types: a name, a version, and the JSON Schemas of both sides, checked by Ajv.
import addFormats from "ajv-formats";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { ErrorObject, ValidateFunction } from "ajv/dist/2020.js";
import type { Contracts } from "./contracts.js";
import type { Messages } from "./generated/messages.js";

export type Label = keyof Messages;

/** One thing wrong with a payload; `path` is a JSON pointer into it. */
export interface Fault {
  path: string;
  code: string;
  message: string;
}

/** A payload that is not what its message type says. */
export class InvalidPayload extends Error {
  readonly faults: Fault[];

  constructor(label: string, faults: Fault[]) {
    const described = faults.map(({ path, message }) => `${path || "the payload"} ${message}`);
    super(`no ${label}: ${described.join("; ")}`);
    this.faults = faults;
  }
}

const MAX_FAULTS = 20;

export class MessageType<L extends Label> {
  readonly label: L;
  readonly name: string;
  readonly version: number;
  readonly fingerprint: string;
  readonly #isSent: ValidateFunction<Messages[L]["sent"]>;
  readonly #isReceived: ValidateFunction<Messages[L]["received"]>;

  constructor(contracts: Contracts, label: L) {
    const [, name = "", version] = /^(.+)\.v(\d+)$/.exec(label) ?? [];
    const entry = contracts.schemas.types[name]?.versions.find(
      (each) => each.version === Number(version),
    );
    if (entry === undefined) throw new Error(`the exported schemas have no ${label}`);
    this.label = label;
    this.name = name;
    this.version = entry.version;
    this.fingerprint = entry.fingerprint;
    this.#isSent = newAjv().compile<Messages[L]["sent"]>(contracts.schema(entry.writer));
    this.#isReceived = newAjv().compile<Messages[L]["received"]>(contracts.schema(entry.reader));
  }

  /** The payload of a message. Throws InvalidPayload for what its readers would refuse. */
  encode(message: Messages[L]["sent"]): string {
    const payload = JSON.stringify(message);
    // What is written is checked, not what it was made of: undefined and NaN do not survive.
    this.#check(this.#isSent, JSON.parse(payload));
    return payload;
  }

  /** The message of a payload. Throws InvalidPayload. */
  decode(payload: Buffer): Messages[L]["received"] {
    const value = parse(this.label, payload);
    this.#check(this.#isReceived, value);
    return value;
  }

  #check<T>(isValid: ValidateFunction<T>, value: unknown): asserts value is T {
    if (!isValid(value))
      throw new InvalidPayload(this.label, (isValid.errors ?? []).slice(0, MAX_FAULTS).map(fault));
  }
}

function newAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: true, allErrors: true });
  addFormats.default(ajv);
  return ajv;
}

function parse(label: string, payload: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch (error) {
    throw new InvalidPayload(label, [
      { path: "", code: "json_invalid", message: `is no JSON: ${String(error)}` },
    ]);
  }
}

function fault({ instancePath, keyword, params, message = "" }: ErrorObject): Fault {
  if (keyword !== "required") return { path: instancePath, code: keyword, message };
  return {
    path: `${instancePath}/${String(params["missingProperty"])}`,
    code: "missing",
    message: "is missing",
  };
}
