// A warehouse: packs the parcels that a shop in Python has ordered, and tells it of each.
import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Consumer } from "./consumer.js";
import type { Job } from "./consumer.js";
import { Omniq } from "./omniq.js";

const { values: options } = parseArgs({
  options: {
    queue: { type: "string", multiple: true, default: ["warehouse"] },
    concurrency: { type: "string", default: "8" },
    "packing-ms": { type: "string", default: "5" },
    "lease-ms": { type: "string", default: "30000" }, // of what it publishes
    "keep-completed": { type: "string", default: "100" },
  },
});
const concurrency = wholeNumber("concurrency");
const packingMs = wholeNumber("packing-ms");
const leaseMs = wholeNumber("lease-ms");

const omniq = new Omniq(process.env["OMNIQ_URL"] ?? "redis://localhost:6379/0", {
  contracts: "contracts",
  source: "warehouse",
  keepCompleted: wholeNumber("keep-completed"),
});
const parcelOrdered = omniq.messageType("parcels.ordered.v1");
const parcelPacked = omniq.messageType("parcels.packed.v1");
const shop = omniq.queue("shop");

const BOXES = [
  { box: "S", upToGrams: 1_000 },
  { box: "M", upToGrams: 5_000 },
  { box: "L", upToGrams: 20_000 },
] as const;

async function pack({ message: parcel, lease }: Job<"parcels.ordered.v1">): Promise<void> {
  console.log(`packing ${parcel.order_id} for ${parcel.ship_to.country}, attempt ${lease.attempt}`);
  const fitting = BOXES.find(({ upToGrams }) => parcel.weight_grams <= upToGrams);
  if (fitting === undefined) throw new RangeError(`no box holds ${parcel.weight_grams} g`);
  await pause(packingMs);
  const packed = {
    order_id: parcel.order_id,
    tracking_code: trackingCode(parcel.ship_to.country),
    box: fitting.box,
    insured: Number(parcel.value) >= 100,
    packed_at: new Date().toISOString(),
  };
  // An id made from the order's: a second attempt tells the shop no second time.
  const id = `${lease.id}:packed`;
  await shop.publish(parcelPacked, packed, { id, cause: lease, timeoutMs: leaseMs });
}

function wholeNumber(option: "concurrency" | "packing-ms" | "lease-ms" | "keep-completed"): number {
  const text = options[option];
  if (!/^\d{1,9}$/.test(text)) throw new RangeError(`--${option} ${text} is no whole number`);
  return Number(text);
}

function trackingCode(country: string): string {
  return country + String(randomInt(100_000_000)).padStart(8, "0");
}

const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    console.log("stopping: what has begun is finished first; once more ends at once");
    stop.abort();
  });
}
const consumers = options.queue.map((name) => {
  const consumer = new Consumer(omniq.queue(name), concurrency);
  consumer.on(parcelOrdered, pack);
  return consumer.run(stop.signal);
});
console.log(`working on ${options.queue.join(", ")}`);
try {
  await Promise.all(consumers);
  console.log("stopped");
} finally {
  shop.close();
  omniq.close();
}
