// Renews the leases of a consumer, all in one call, each time a third of the shortest has passed.
import type { Queue } from "./omniq.js";
import type { Lease } from "./settlements.js";

const DEFAULT_LEASE_MS = 60_000;

export class Heartbeat {
  readonly #queue: Queue;
  readonly #watched = new Map<string, { lease: Lease; lost: AbortController }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  /** Renews a lease from now on; the signal tells when it is lost to another worker. */
  watch(lease: Lease): AbortSignal {
    const lost = new AbortController();
    this.#watched.set(lease.token, { lease, lost });
    this.#schedule();
    return lost.signal;
  }

  unwatch(lease: Lease): void {
    this.#watched.delete(lease.token);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#watched.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    } else {
      this.#timer ??= setTimeout(() => void this.#beat(), this.#intervalMs());
    }
  }

  #intervalMs(): number {
    const leases = [...this.#watched.values()].map(({ lease }) => lease.timeout_ms || DEFAULT_LEASE_MS);
    return Math.min(...leases) / 3;
  }

  async #beat(): Promise<void> {
    const watched = [...this.#watched.values()];
    try {
      const lost = new Set(await this.#queue.heartbeat(watched.map(({ lease }) => lease)));
      watched.filter(({ lease }) => lost.has(lease.id)).forEach((each) => each.lost.abort());
    } catch (error) {
      console.error(`heartbeat of ${this.#queue.name}: ${String(error)}`); // two more until it ends
    }
    this.#timer = undefined;
    this.#schedule();
  }
}
