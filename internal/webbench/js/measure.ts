// Measures one client, which is bundled with it: calls one at a time and a hundred at
// once, the items of a stream, with the CPU time that this process takes for each, and the memory
// of a stream that nobody reads. It prints the figures as JSON.
import { open } from "client";

const [url, seconds] = [process.argv[2], Number(process.argv[3])];
const tags = ["alpha-01", "bravo-02", "gamma-03", "delta-04"];
let next = 0;

/** A Meter measures from when it is made: how many a second, and the CPU time of each in microseconds. */
class Meter {
  readonly begin = performance.now();
  readonly cpu = process.cpuUsage();

  get ms(): number {
    return performance.now() - this.begin;
  }

  read(n: number): { rate: number; cpu: number } {
    const { user, system } = process.cpuUsage(this.cpu);
    return { rate: (1000 * n) / this.ms, cpu: (user + system) / n };
  }
}

async function call(api: any): Promise<void> {
  const id = next++;
  const v = await api.echo({ id, name: "order-entry-0042", tags });
  if (v.id !== id || v.tags.length !== 4) throw new Error(`the answer to ${id} is ${JSON.stringify(v)}`);
}

async function calls(api: any, lanes: number, ms: number) {
  const meter = new Meter();
  let done = 0;
  const lane = async () => {
    while (meter.ms < ms) {
      await call(api);
      done++;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return meter.read(done);
}

async function items(api: any, ms: number) {
  let n = 0;
  let meter = new Meter();
  for await (const item of api.items()) {
    if (item.seq !== n) throw new Error(`item ${n} has the number ${item.seq}`);
    if (n++ === 0) meter = new Meter();
    if (n % 64 === 0 && meter.ms > ms) break;
  }
  return meter.read(n);
}

/** The megabytes by which memory grows while a stream is open that is read once. */
async function unread(api: any, ms: number): Promise<number> {
  const memory = () => {
    globalThis.gc?.();
    const m = process.memoryUsage();
    return m.heapUsed + m.external;
  };
  const before = memory();
  const reader = api.items()[Symbol.asyncIterator]();
  await reader.next();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return Math.max(0, memory() - before) / 1e6;
}

const api = await open(url);
await calls(api, 16, 250 * seconds);
const one = await calls(api, 1, 1000 * seconds);
const hundred = await calls(api, 100, 1000 * seconds);
await items(api, 250 * seconds);
const stream = await items(api, 1000 * seconds);
const memory = await unread(api, 1000 * seconds);
console.log(JSON.stringify({ one: one.rate, hundred: hundred.rate, call: hundred.cpu, stream: stream.rate, item: stream.cpu, memory }));
process.exit(0);
