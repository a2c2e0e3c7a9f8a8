// Measures one client, which is bundled with it: calls one at a time and a hundred at
// once, the items of a stream, and what a stream costs that nobody reads. It prints the
// figures as JSON.
import { open } from "client";

const [url, seconds] = [process.argv[2], Number(process.argv[3])];
const tags = ["alpha-01", "bravo-02", "gamma-03", "delta-04"];
let next = 0;

async function call(api: any): Promise<void> {
  const id = next++;
  const v = await api.echo({ id, name: "order-entry-0042", tags });
  if (v.id !== id || v.tags.length !== 4) throw new Error(`the answer to ${id} is ${JSON.stringify(v)}`);
}

async function calls(api: any, lanes: number, ms: number): Promise<number> {
  const end = performance.now() + ms;
  let done = 0;
  const lane = async () => {
    while (performance.now() < end) {
      await call(api);
      done++;
    }
  };
  const begin = performance.now();
  await Promise.all(Array.from({ length: lanes }, lane));
  return (1000 * done) / (performance.now() - begin);
}

async function items(api: any, ms: number): Promise<number> {
  let n = 0;
  let begin = 0;
  for await (const item of api.items()) {
    if (item.seq !== n) throw new Error(`item ${n} has the number ${item.seq}`);
    if (n++ === 0) begin = performance.now();
    if (n % 64 === 0 && performance.now() - begin > ms) break;
  }
  return (1000 * n) / (performance.now() - begin);
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
console.log(JSON.stringify({ one, hundred, stream, memory }));
process.exit(0);
