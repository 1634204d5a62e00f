// Renews the leases of a consumer, all in one call, each time a third of the shortest has passed.
import type { Queue } from "./omniq.js";
import type { Lease } from "./settlements.js";

const DEFAULT_LEASE_MS = 60_000;

export class Heartbeat {
  readonly #queue: Queue;
  readonly #watched = new Map<string, { lease: Lease; lost: AbortController }>();
  #timer: NodeJS.Timeout | undefined;
  #nextAtMs = Infinity;

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  /** Renews a lease from now on; the signal tells when it is lost to another worker. */
  watch(lease: Lease): AbortSignal {
    const lost = new AbortController();
    this.#watched.set(lease.token, { lease, lost });
    this.#beatWithin((lease.timeout_ms || DEFAULT_LEASE_MS) / 3);
    return lost.signal;
  }

  unwatch(lease: Lease): void {
    this.#watched.delete(lease.token);
    if (this.#watched.size === 0) this.#clear();
  }

  #beatWithin(ms: number): void {
    const atMs = performance.now() + ms;
    if (atMs >= this.#nextAtMs) return;
    this.#clear();
    this.#nextAtMs = atMs;
    this.#timer = setTimeout(() => void this.#beat(), ms);
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.#nextAtMs = Infinity;
  }

  async #beat(): Promise<void> {
    const watched = [...this.#watched.values()];
    this.#clear();
    for (const { lease } of watched) this.#beatWithin((lease.timeout_ms || DEFAULT_LEASE_MS) / 3);
    try {
      const lost = new Set(await this.#queue.heartbeat(watched.map(({ lease }) => lease)));
      watched.filter(({ lease }) => lost.has(lease.id)).forEach((each) => each.lost.abort());
    } catch (error) {
      console.error(`heartbeat of ${this.#queue.name}: ${String(error)}`); // it beats again in time
    }
  }
}
