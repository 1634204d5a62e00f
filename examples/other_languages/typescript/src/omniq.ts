// A small client of the queue: publish, reserve, settle, heartbeat, and waiting for work. Each is
// one call of a Lua script, the same that the Python workers call.
import { randomBytes, randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { Contracts } from "./contracts.js";
import type { Scripts } from "./generated/scripts.js";
import { MessageType } from "./messages.js";
import type { Label } from "./messages.js";
import type { Messages } from "./generated/messages.js";
import { ScriptRunner, fill } from "./scripts.js";
import { NO_SIDE } from "./settlements.js";
import type { Lease, Settlement } from "./settlements.js";

/** As of now, by the server's clock. */
const NOW = 0;
/** Refuse a user without all rights before anything changes. */
const CHECK = "1";
const UPKEEP = 100;

export interface OmniqOptions {
  /** The exported folder. */
  contracts: string;
  /** Who publishes. */
  source: string;
  /** Completed jobs that stay in a queue. */
  keepCompleted?: number;
}

export interface Reservation {
  /** The server's time, and when something next falls due by itself. */
  now_ms: number;
  next_due_ms: number;
  jobs: Lease[];
}

export interface PublishOptions {
  /** A second publish of the same id changes nothing. Default: a new one. */
  id?: string;
  /** The job that is the reason for this one. */
  cause?: Lease;
  maxAttempts?: number;
  /** How long a lease lasts. */
  timeoutMs?: number;
  backoffMs?: number;
}

export interface Published {
  id: string;
  /** `new`; or the id is taken, by the same content or by another: then nothing changed. */
  outcome: "new" | "same" | "different";
}

export class Omniq {
  readonly #url: string;
  readonly #contracts: Contracts;
  readonly #redis: Redis;
  readonly #shared: Shared;

  constructor(url: string, { contracts, source, keepCompleted = 100 }: OmniqOptions) {
    this.#url = url;
    this.#contracts = new Contracts(contracts);
    this.#redis = connect(url);
    this.#redis.on("error", ({ message }: Error) => console.error(`redis: ${message}`));
    this.#shared = {
      scripts: new ScriptRunner(this.#redis, this.#contracts),
      source,
      keepCompleted,
    };
  }

  messageType<L extends Label>(label: L): MessageType<L> {
    return new MessageType(this.#contracts, label);
  }

  queue(name: string): Queue {
    return new Queue(name, connect(this.#url), this.#shared);
  }

  close(): void {
    this.#redis.disconnect();
  }
}

/** What all queues of a program have in common. */
interface Shared {
  scripts: ScriptRunner;
  source: string;
  keepCompleted: number;
}

export class Queue {
  readonly name: string;
  /** Blocks while it waits, so it is for nothing else. */
  readonly #waiting: Redis;
  readonly #shared: Shared;

  constructor(name: string, waiting: Redis, shared: Shared) {
    this.name = name;
    this.#waiting = waiting;
    this.#shared = shared;
  }

  /** Throws InvalidPayload where the message is not what its schema says. */
  async publish<L extends Label>(
    type: MessageType<L>,
    message: Messages[L]["sent"],
    {
      id = randomUUID(),
      cause,
      maxAttempts = 3,
      timeoutMs = 30_000,
      backoffMs = 5_000,
    }: PublishOptions = {},
  ): Promise<Published> {
    const kind = {
      max_attempts: maxAttempts,
      timeout_ms: timeoutMs,
      backoff_ms: backoffMs,
      due_ms: NOW,
      gid: "",
      group_limit: 0,
      ordering: "" as const,
      side: sideFields(type, this.#shared.source, cause),
    };
    const [entry] = await this.#call("enqueue", {
      now_ms: NOW,
      check: CHECK,
      kinds: [kind],
      jobs: [{ id, payload: type.encode(message), kind: 1, side: [] }],
    });
    // A job without an entry was added, and waits.
    return { id, outcome: entry?.[1] === "DUPLICATE" ? entry[3] : "new" };
  }

  /** Settles what is done, and leases up to `limit` jobs, 0 = none, in one round trip. */
  async reserve(limit: number, settlements: Settlement[]): Promise<Reservation> {
    const prefix = randomBytes(16).toString("hex");
    const { now_ms, next_due_ms, kinds, sides, jobs } = await this.#call("reserve", {
      now_ms: NOW,
      check: CHECK,
      limit,
      token_prefix: prefix,
      keep_completed: this.#shared.keepCompleted,
      upkeep: UPKEEP,
      lost_prefix: "",
      settlements,
    });
    const leases = jobs.map((job, at) => {
      const kind = kinds[job.kind - 1];
      if (kind === undefined) throw new Error(`reserve told of no kind ${job.kind}`);
      return { ...NO_SIDE, ...sides[job.side - 1], ...job, ...kind, token: `${prefix}-${at + 1}` };
    });
    return { now_ms, next_due_ms, jobs: leases };
  }

  async settle(settlements: Settlement[]): Promise<Scripts["settle"]["reply"]> {
    return this.#call("settle", {
      now_ms: NOW,
      check: CHECK,
      keep_completed: this.#shared.keepCompleted,
      settlements,
    });
  }

  /** Renews leases; answers the ids of those that are lost. */
  async heartbeat(leases: Lease[]): Promise<string[]> {
    const renewed = await this.#call("heartbeat", {
      now_ms: NOW,
      check: CHECK,
      leases: leases.map(({ id, token }) => ({ id, token })),
    });
    return renewed.flatMap(([id, status]) => (status === "ERR" ? [id] : []));
  }

  /** Waits until a publisher says that there is something to take, for `seconds` at most. */
  async waitForWork(seconds: number): Promise<void> {
    await this.#waiting.blpop(fill("{QUEUE}:wake", { QUEUE: this.name }), seconds);
  }

  /** Breaks off a wait. */
  close(): void {
    this.#waiting.disconnect();
  }

  async #call<Name extends keyof Scripts>(
    script: Name,
    given: Scripts[Name]["arguments"],
  ): Promise<Scripts[Name]["reply"]> {
    return this.#shared.scripts.call(script, { QUEUE: this.name }, given);
  }
}

/** What travels beside the payload: docs/wire.md, section 5. */
function sideFields(
  type: MessageType<Label>,
  source: string,
  cause?: Lease,
): Array<{ field: string; value: string }> {
  const fields = {
    msg_type: type.name,
    msg_version: String(type.version),
    msg_schema: type.fingerprint,
    msg_source: source,
    // A job without a conversation starts one under its own id.
    msg_correlation_id: cause === undefined ? "" : cause.msg_correlation_id || cause.id,
    msg_causation_id: cause?.id ?? "",
    msg_traceparent: cause?.msg_traceparent ?? "",
    msg_tracestate: cause?.msg_tracestate ?? "",
  };
  return Object.entries(fields).flatMap(([field, value]) =>
    value === "" ? [] : [{ field, value }],
  );
}

/** Sends no command again by itself: a second reserve would lease jobs that nobody works on. */
function connect(url: string): Redis {
  const redis = new Redis(url, {
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    protocol: 2,
    socketTimeout: 10_000, // longer than any wait for work
    retryStrategy: (attempt) => Math.min(100 * 2 ** attempt, 5_000),
  });
  redis.on("error", () => {}); // whoever waits for a reply is told
  return redis;
}
