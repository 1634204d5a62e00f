// How a lease ends.
import type { Scripts } from "./generated/scripts.js";
import type { InvalidPayload } from "./messages.js";

type Reserved = Scripts["reserve"]["reply"];
type Side = Reserved["sides"][number];
/** A job in hand: what reserve says of it, of its kind and beside, and the token that settles it. */
export type Lease = Reserved["jobs"][number] & Reserved["kinds"][number] & Side & { token: string };
export type Settlement = Scripts["settle"]["arguments"]["settlements"][number];

const MAX_MESSAGE_BYTES = 4096;

/** Of a job that has nothing beside. */
export const NO_SIDE: Side = {
  msg_correlation_id: "",
  msg_causation_id: "",
  msg_traceparent: "",
  msg_tracestate: "",
};

export function done({ id, token }: Lease): Settlement {
  return { id, token, outcome: "ack" };
}

/** The handler failed: another attempt after the job's own backoff, or the last one is used up. */
export function failed(lease: Lease, error: unknown): Settlement {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return unsuccessful(lease, "retry", "handler_error", message, "[]");
}

/** No handler saw it: to the failed lane at once, with where and why. */
export function invalid(lease: Lease, error: InvalidPayload): Settlement {
  return unsuccessful(
    lease,
    "invalid",
    "invalid_payload",
    error.message,
    JSON.stringify(error.faults),
  );
}

/** No handler is there for it. */
export function unknownType(lease: Lease, message: string): Settlement {
  return unsuccessful(lease, "invalid", "unknown_type", message, "[]");
}

function unsuccessful(
  { id, token }: Lease,
  outcome: "retry" | "invalid",
  reason: string,
  message: string,
  errors_json: string,
): Settlement {
  return { id, token, outcome, delay_ms: "", reason, message: clip(message), errors_json };
}

/** Whole characters only. */
function clip(message: string): string {
  const bytes = Buffer.from(message).subarray(0, MAX_MESSAGE_BYTES);
  return new TextDecoder().decode(bytes, { stream: true });
}
