// BullMQ on Node: the same orders and reports as skeleton.py.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { Queue, Worker } = createRequire(process.env.BENCH_NODE_HOME + '/')('bullmq');
const [role, url, kind, atOnce, keeps] = process.argv.slice(2);
const QUEUE = 'bench';
const PER_BULK = 1000;
const REPORT_EVERY_MS = 20;
const WAIT_MS = 10;
const ITEMS = [
  { sku: 'TEA-0042', count: 2, cents: 450 },
  { sku: 'HON-0007', count: 1, cents: 7 },
];
// Jobs that are done would stay for ever; ours keeps 100 too.
const KEPT = { removeOnComplete: { count: 100 } };
const address = new URL(url);
const connection = { host: address.hostname, port: Number(address.port), maxRetriesPerRequest: null };

const nowUs = () => Number(process.hrtime.bigint() / 1000n);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const answer = (said) => process.stdout.write(JSON.stringify(said) + '\n');

function order(number, atUs = 0) {
  return {
    order_id: 'ORD-' + String(number).padStart(10, '0'),
    customer: 'customer-000042',
    email: 'jo@example.com',
    currency: 'EUR',
    cents: 1500,
    express: true,
    items: ITEMS,
    at_us: atUs,
  };
}

async function publisher() {
  const queue = new Queue(QUEUE, { connection });
  await queue.waitUntilReady();
  let next = 0;
  const timed = async (body) => {
    const started = process.hrtime.bigint();
    await body();
    return Number(process.hrtime.bigint() - started) / 1e9;
  };
  const bulk = ({ count }) => timed(async () => {
    for (let done = 0; done < count; done += PER_BULK) {
      const some = [];
      for (let i = done; i < Math.min(count, done + PER_BULK); i++) {
        some.push({ name: 'order', data: order(next++), opts: KEPT });
      }
      await queue.addBulk(some);
    }
  });
  const orders = {
    one: ({ count }) => timed(async () => {
      for (let i = 0; i < count; i++) await queue.add('order', order(next++, nowUs()), KEPT);
    }),
    bulk,
    fill: bulk,
    in_flight: ({ count, at_once: lanes }) => timed(async () => {
      let left = count;
      const go = async () => {
        while (left-- > 0) await queue.add('order', order(next++), KEPT);
      };
      await Promise.all(Array.from({ length: lanes }, go));
    }),
    paced: ({ count, rate }) => timed(async () => {
      const startedUs = nowUs();
      for (let i = 0; i < count; i++) {
        const dueUs = startedUs + (i * 1e6) / rate;
        // Timers are whole milliseconds: spin for what is less.
        if (dueUs - nowUs() > 2000) await sleep(Math.floor((dueUs - nowUs()) / 1000) - 1);
        while (nowUs() < dueUs);
        await queue.add('order', order(next++, Math.floor(dueUs)), KEPT);
      }
    }),
    later: async ({ count, first_ms: firstMs, every_ms: everyMs }) => {
      const first = Date.now() + firstMs;
      const ahead = nowUs() - Date.now() * 1000;
      for (let i = 0; i < count; i++) {
        const due = first + i * everyMs;
        const delay = Math.max(0, due - Date.now());
        await queue.add('order', order(next++, due * 1000 + ahead), { ...KEPT, delay });
      }
      return 0;
    },
  };
  answer({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    answer({ seconds: await orders[asked.do](asked) });
  }
  process.exit(0);
}

function worker() {
  const keepsDelays = keeps === 'delays';
  let count = 0, reported = 0, firstUs = 0, lastUs = 0, delays = [];
  const report = () => {
    if (count === reported) return;
    answer({ count, first_us: firstUs, last_us: lastUs, delays_us: delays });
    reported = count;
    delays = [];
  };
  const note = (atUs) => {
    lastUs = nowUs();
    if (!count) firstUs = lastUs;
    count++;
    if (keepsDelays) {
      delays.push(lastUs - atUs);
      report();
    }
  };
  const handlers = {
    quick: async (job) => note(job.data.at_us),
    wait: async (job) => {
      await sleep(WAIT_MS);
      note(job.data.at_us);
    },
  };
  const handler = handlers[kind] ?? handlers.quick;
  answer({ ready: true });
  process.stdin.once('data', () => {
    new Worker(QUEUE, handler, { connection, concurrency: Number(atOnce) || 100 });
    setInterval(report, REPORT_EVERY_MS);
  });
  process.stdin.on('end', () => process.exit(0));
}

if (role === 'publisher') await publisher();
else worker();
