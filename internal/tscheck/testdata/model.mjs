// A client of the ledger that does random things: node model.mjs LEDGER URL SEED OPERATIONS.
// It checks what it is answered, and prints what it was told as JSON. Time is shorter, so that
// many sockets can be cut.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [folder, url, seed, operations] = process.argv.slice(2);
const copy = mkdtempSync(path.join(os.tmpdir(), "ledger"));
cpSync(folder, copy, { recursive: true });
const runtime = path.join(copy, "wirecall.js");
writeFileSync(path.join(copy, "package.json"), '{"type": "module"}');
writeFileSync(runtime, "const setTimeout = (f, ms) => globalThis.setTimeout(f, ms / 50);\n" + readFileSync(runtime, "utf8"));
const load = (name) => import(pathToFileURL(path.join(copy, name)));
const { connect, serve } = await load("wirecall.js");
const { ledger, MirrorService } = await load("ledger.js");
rmSync(copy, { recursive: true });

let state = Number(seed) + 1; // mulberry32
function random(n) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * n);
}

const connection = connect(url);
let reflected = 0, sessions = 0;
serve(connection, MirrorService, { reflect: async (id) => (reflected++, id) });
connection.subscribe(() => (sessions = Math.max(sessions, connection.state.session)));
const server = ledger(connection);

const told = { posts: [], notes: [], asks: [], uploads: {}, items: 0, left: 0 };
const want = (got, wanted, what) => {
  if (got !== wanted) throw new Error(`${what}: ${got}, want ${wanted}`);
};

async function* entries(n) {
  for (let i = 1; i <= n; i++) {
    if (!random(20)) await new Promise((resolve) => setImmediate(resolve));
    yield { N: i, ...(random(3) ? {} : { Text: "é".repeat(random(3000)) }) };
  }
}

async function numbers(stream, n, value, until = n) {
  let i = 0;
  for await (const item of stream) {
    want(value(item), ++i, "an item");
    told.items++;
    if (i === until && until < n) return;
    if (!random(50)) await new Promise((resolve) => setImmediate(resolve));
  }
  want(i, n, "the items of a stream");
}

/** Has a call aborted, which then rejects with the reason. */
async function aborted(call) {
  const controller = new AbortController(), reason = new Error("left");
  const calling = call({ signal: controller.signal });
  setImmediate(() => controller.abort(reason));
  await calling.then(() => told.left++, (error) => want(error, reason, "the reason"));
}

const kinds = [
  async (id) => (want(await server.post(id), id, "post"), told.posts.push(id)),
  async (id) => (want(await server.post(id), id, "post"), told.posts.push(id)),
  async (id) => (await server.note(id), told.notes.push(id)),
  async (id) => (want(await server.ask(id, 3), 3 * id, "ask"), told.asks.push(id)),
  (_, n) => numbers(server.count(n), n, (item) => item),
  (_, n) => numbers(server.count(n), n, (item) => item, 1 + random(n)),
  (_, n) => numbers(server.follow(0, n), n, (item) => item.N),
  async (id, n) => (want(await server.upload(id, entries(n)), n, "upload"), (told.uploads[id] = n)),
  (_, n) => numbers(server.echo(entries(n)), n, (item) => item.N / 2),
  (_, n) => numbers(server.echo(entries(n)), n, (item) => item.N / 2, 1 + random(n)),
  (id) => aborted((options) => server.wait(id, options)),
  (id, n) => aborted((options) => server.upload(id, entries(n), options)),
];

let next = 0;
async function worker() {
  while (next < Number(operations)) {
    const id = ++next;
    await kinds[random(kinds.length)](id, 1 + random(random(10) ? 30 : 300));
  }
}

await Promise.all(Array.from({ length: 16 }, worker));
await server.post(0); // everything before it has been received
told.posts.push(0);
connection.close();
console.log(JSON.stringify({ ...told, reflected, sessions }));
