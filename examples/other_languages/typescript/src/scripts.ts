// Runs the Lua scripts: EVALSHA, and where the server does not know the script, SCRIPT LOAD and
// EVALSHA once more. What it has to know of a script it takes from the manifest.
import { setTimeout as pause } from "node:timers/promises";
import type { Redis } from "ioredis";
import { flatten } from "./arguments.js";
import type { Named, Value } from "./arguments.js";
import type { Contracts, Script } from "./contracts.js";
import type { Scripts } from "./generated/scripts.js";
import { read } from "./replies.js";

const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 50;

export class ScriptRunner {
  readonly #redis: Redis;
  readonly #contracts: Contracts;

  /** `redis` must not send commands again by itself: `connect` in omniq.ts. */
  constructor(redis: Redis, contracts: Contracts) {
    this.#redis = redis;
    this.#contracts = contracts;
  }

  /** `placeholders`: what goes into the keys, e.g. { QUEUE: "orders" }. */
  async call<Name extends keyof Scripts>(
    name: Name,
    placeholders: Record<string, string>,
    given: Scripts[Name]["arguments"],
  ): Promise<Scripts[Name]["reply"]> {
    const script = this.#contracts.manifest.scripts[name];
    if (script === undefined) throw new Error(`the exported scripts have no ${name}`);
    const keys = script.keys.map((pattern) => fill(pattern, placeholders));
    const reply = await this.#send(script, keys, flatten(script.arguments, given as Named));
    return read(script.reply, reply) as Scripts[Name]["reply"];
  }

  /** Where the connection breaks nobody knows whether the script ran. Some may run twice. */
  async #send(script: Script, keys: string[], values: Value[]): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#evaluate(script, keys, values);
      } catch (error) {
        if (isReply(error) || !script.repeatable || attempt === ATTEMPTS) throw error;
        await pause(FIRST_PAUSE_MS * 2 ** attempt);
      }
    }
  }

  async #evaluate(script: Script, keys: string[], values: Value[]): Promise<unknown> {
    const call = [script.sha1, keys.length, ...keys, ...values] as const;
    try {
      return await this.#redis.callBuffer("EVALSHA", ...call);
    } catch (error) {
      if (!isReply(error) || !error.message.startsWith("NOSCRIPT")) throw error;
      await this.#redis.call("SCRIPT", "LOAD", this.#contracts.scriptText(script));
      return await this.#redis.callBuffer("EVALSHA", ...call);
    }
  }
}

/** "{QUEUE}:wait" -> "{orders}:wait" */
export function fill(pattern: string, placeholders: Record<string, string>): string {
  return pattern.replace(/[A-Z]+/g, (word) => {
    const value = placeholders[word];
    if (value === undefined) throw new Error(`the key ${pattern} needs a ${word}`);
    return value;
  });
}

/** Whether the server answered with an error. Any other is of the connection. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}
