// Takes jobs of a queue and hands each to the handler of its message type, several at a time.
import { setTimeout as pause } from "node:timers/promises";
import { Heartbeat } from "./heartbeat.js";
import type { Messages } from "./generated/messages.js";
import { InvalidPayload } from "./messages.js";
import type { Label, MessageType } from "./messages.js";
import type { Queue, Reservation } from "./omniq.js";
import { isReply } from "./scripts.js";
import { done, failed, invalid, unknownType } from "./settlements.js";
import type { Lease, Settlement } from "./settlements.js";

/** A publisher of another program may wake nobody. */
const POLL_S = 0.5;
const FIRST_BACKOFF_MS = 100;
const LAST_BACKOFF_MS = 5_000;
/** Attempts of a stopping consumer to deliver its results to a server that is away. */
const GIVE_UP_AFTER = 5;
/** Waiting does not mend these. */
const FATAL = /^(NOPERM|NOAUTH|WRONGPASS)/;

export interface Job<L extends Label> {
  message: Messages[L]["received"];
  lease: Lease;
  /** Aborted when the lease is lost: another worker has the job then. */
  lost: AbortSignal;
}

/** A decoded job, ready for its handler. */
type Opened = (lost: AbortSignal) => Promise<void>;

export class Consumer {
  readonly #queue: Queue;
  readonly #concurrency: number;
  readonly #heartbeat: Heartbeat;
  readonly #handlers = new Map<string, (lease: Lease) => Opened>();
  readonly #running = new Set<Lease>();
  readonly #ended = new Map<Lease, Settlement>();
  #listening: Promise<void> | undefined;
  #failures = 0;
  /** Tells the loop that a job has ended, or that it shall stop. */
  #ring = (): void => {};

  /** `concurrency`: jobs that run at once. */
  constructor(queue: Queue, concurrency: number) {
    this.#queue = queue;
    this.#concurrency = concurrency;
    this.#heartbeat = new Heartbeat(queue);
  }

  on<L extends Label>(type: MessageType<L>, handle: (job: Job<L>) => Promise<void>): void {
    this.#handlers.set(type.label, (lease) => {
      const message = type.decode(lease.payload);
      return (lost) => handle({ message, lease, lost });
    });
  }

  /** Works until `stop`, then finishes what has begun and settles it. Throws where the server
   * refuses the user; waits through everything else. */
  async run(stop: AbortSignal): Promise<void> {
    stop.addEventListener("abort", () => this.#ring());
    try {
      while (!stop.aborted || this.#running.size > 0 || this.#ended.size > 0) {
        const bell = new Promise<void>((resolve) => (this.#ring = resolve));
        const wanted = stop.aborted ? 0 : this.#concurrency - this.#running.size;
        try {
          const reservation = await this.#settleAndReserve(wanted);
          if (stop.aborted && this.#running.size === 0) continue; // nobody is left to ring
          const mayCome =
            !stop.aborted && reservation !== undefined && reservation.jobs.length < wanted;
          await Promise.race(mayCome ? [bell, this.#listen(reservation)] : [bell]);
        } catch (error) {
          await this.#backOff(error, stop);
        }
      }
    } finally {
      this.#queue.close();
    }
  }

  /** Undefined where there is nothing to ask for. */
  async #settleAndReserve(wanted: number): Promise<Reservation | undefined> {
    const ended = [...this.#ended];
    if (wanted === 0 && ended.length === 0) return undefined;
    const settlements = ended.map(([, settlement]) => settlement);
    const reservation = await this.#queue.reserve(wanted, settlements);
    this.#failures = 0;
    for (const [lease] of ended) this.#forget(lease);
    for (const lease of reservation.jobs) void this.#work(lease);
    return reservation;
  }

  /** Until somebody says that there is work, or something falls due by itself. */
  #listen({ now_ms, next_due_ms }: Reservation): Promise<void> {
    const dueInS = next_due_ms > 0 ? (next_due_ms - now_ms) / 1000 : POLL_S;
    const seconds = Math.max(0.001, Math.min(POLL_S, dueInS));
    this.#listening ??= this.#queue
      .waitForWork(seconds)
      .finally(() => (this.#listening = undefined));
    return this.#listening;
  }

  async #work(lease: Lease): Promise<void> {
    this.#running.add(lease);
    const lost = this.#heartbeat.watch(lease);
    const settlement = await this.#handle(lease, lost);
    this.#running.delete(lease);
    this.#ended.set(lease, settlement);
    if (lost.aborted) this.#forget(lease);
    this.#ring();
  }

  async #handle(lease: Lease, lost: AbortSignal): Promise<Settlement> {
    const label = this.#labelOf(lease);
    const open = this.#handlers.get(label);
    if (open === undefined) {
      const known = [...this.#handlers.keys()].join(", ");
      return unknownType(
        lease,
        `no handler on queue ${this.#queue.name} for ${label}; it takes ${known}`,
      );
    }
    let opened: Opened;
    try {
      opened = open(lease);
    } catch (error) {
      return error instanceof InvalidPayload ? invalid(lease, error) : failed(lease, error);
    }
    try {
      await opened(lost);
      return done(lease);
    } catch (error) {
      return failed(lease, error);
    }
  }

  /** A job that names no type is version 1 of the only one that the queue expects. */
  #labelOf(lease: Lease): string {
    if (lease.msg_type !== "") return `${lease.msg_type}.v${lease.msg_version}`;
    const names = new Set([...this.#handlers.keys()].map((label) => label.replace(/\.v\d+$/, "")));
    const [name, ...others] = names;
    return name !== undefined && others.length === 0 ? `${name}.v1` : "a job without a type";
  }

  #forget(lease: Lease): void {
    this.#ended.delete(lease);
    this.#heartbeat.unwatch(lease);
  }

  /** Settled already or not: what has ended stays, as a second settlement is refused. */
  async #backOff(error: unknown, stop: AbortSignal): Promise<void> {
    if (isReply(error) && FATAL.test(error.message)) throw error;
    this.#failures += 1;
    if (stop.aborted && this.#failures >= GIVE_UP_AFTER) throw error;
    const backoffMs = Math.min(LAST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures);
    console.error(`${this.#queue.name}: ${String(error)}; trying again in ${backoffMs} ms`);
    await pause(backoffMs);
  }
}
