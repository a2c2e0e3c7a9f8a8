// Replays the conversations of rpc/testdata in which our side dials against the runtime of
// TypeScript, in virtual time: node transcripts.mjs RUNTIME FOLDER [NAME]. The language is
// described in rpc/testdata/README.md. Sockets are of a class of our own, so that a
// conversation decides what is received and when.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { advance, nextTimer, reset, settle, virtualTime } from "./clock.mjs";
import { begin, services, use } from "./subject.mjs";

virtualTime();
const [runtime, folder, only] = process.argv.slice(2);
const runtimeModule = await import(pathToFileURL(path.resolve(runtime)));
const { connect } = runtimeModule;
use(runtimeModule);

// Files that are not for this runtime: it speaks neither plain JSON-RPC nor over lines.
const foreign = /^(plain-|framing)/;

// Conversations that are not, and why.
const others = {
  "malformed/a deep result": "JavaScript has no limit of its own for the depth of values",
  "client-streams/an item that cannot be decoded": "values are not checked against their types",
  "goaway/nested in a client": "a handler in JavaScript has no context that says for which call it runs",
};

// Lines of other conversations that are not: a Go client checks values against their types.
const untyped = ["f: error -32603 rpc: Test.Add: the result cannot be decoded", "f: error 1002 ouch", "g: error 1002 ouch", "h: error 1002 ouch"];

const goTime = (text) => {
  const m = /^([\d.]+)(ms|s|m|h)$/.exec(text);
  return m[1] * { ms: 1, s: 1000, m: 60000, h: 3600000 }[m[2]];
};

const expand = (line) => line.replace(/«([^»]*)\*(\d+)»/g, (_, what, n) => JSON.parse(`"${what.replace(/\\x/g, "\\u00")}"`).repeat(n));

const markers = ["<-close", "<-cut", "<-dial", "<-lost", "->close", "->cut", "->dial", "->half", "->lost", "->deaf", "->hears", "->", "<-", "<*", "..", "~>", "~<", "!", "#", "@"];

/** The conversations of a file. */
function read(file) {
  const all = [{ name: "first", lines: [] }];
  readFileSync(file, "utf8").split("\n").forEach((line, i) => {
    if (line.startsWith("-- ")) return all.push({ name: line.slice(3).trim(), lines: [] });
    const marker = markers.find((m) => line.startsWith(m));
    if (marker && marker !== "#") all.at(-1).lines.push({ n: i + 1, marker, text: expand(line.slice(marker.length).trim()) });
  });
  return all;
}

/** A socket as browsers have it. What our side sends is in got, a message each. */
class Socket {
  static dialed = [];
  got = [];
  ended = false;
  bufferedAmount = 0;
  onopen = this.onmessage = this.onclose = this.onerror = null;

  constructor(url) {
    this.host = new URL(url).hostname;
    Socket.dialed.push(this);
  }
  send(frame) {
    if (this.ended) throw new Error("a closed socket");
    this.got.push(...frame.split("\n"));
  }
  close(code, reason = "") {
    if (this.ended) return;
    this.ended = true;
    if (code !== 4000) this.got.push(`{"jsonrpc":"2.0","method":"$/close","params":[${code},${JSON.stringify(reason)}]}`);
  }
  open() {
    this.onopen?.({});
  }
  receive(line) {
    const bye = /^\{"jsonrpc":"2.0","method":"\$\/close","params":\[(\d+),(".*")\]\}$/.exec(line);
    if (bye) return this.lose(Number(bye[1]), JSON.parse(bye[2]));
    if (!this.ended) this.onmessage?.({ data: line });
  }
  lose(code = 1006, reason = "") {
    if (this.ended) return;
    this.ended = true;
    this.onclose?.({ code, reason });
  }
}

/** What the file says of an error. */
function verdict(error) {
  const words = ["error"];
  if (error.name === "RpcError") words.push(error.code);
  words.push(error.name === "TimeoutError" ? "context deadline exceeded" : error.message);
  if (error.type === "rpc_test.wound" && error.data) words.push(`(a wound ${error.data.depth} deep)`);
  if (error.code === -32800) words.push("(context canceled)");
  if (error.code === -32012) words.push("(context deadline exceeded)");
  if (error.type === "Test.Gone") words.push("(gone)");
  if (error.notRun) words.push("(not run)");
  if (error.retry) words.push(`(after ${error.retry < 3600000 ? (error.retry < 1000 ? error.retry + "ms" : error.retry / 1000 + "s") : "1h0m0s"})`);
  return words.join(" ");
}

class Replay {
  sockets = [];
  reports = [];
  operations = {};
  tokens = {};

  constructor(file, conversation) {
    Object.assign(this, { file, conversation });
  }

  fail(text) {
    throw new Error(`${this.file}:${this.at.n}: ${text}`);
  }

  async run() {
    const { lines } = this.conversation;
    this.sent = lines.filter((l) => l.marker.startsWith("->")).map((l) => l.text).join("\n");
    for (let i = 0; i < lines.length; i++) {
      this.at = lines[i];
      const { marker, text } = this.at;
      if (marker === "!") this.option(text);
      else if (marker === "<-" || marker === "<-lost" || marker === "<*") {
        const group = [text];
        while (marker === "<*" && lines[i + 1]?.marker === "<*") group.push(lines[++i].text);
        await this.expect(group);
      } else if (marker === "<-close" || marker === "<-cut") await this.expectClose();
      else if (marker === "~<") await this.expectReport(text);
      else if (marker === "@") this.now = this.sockets[text - 1];
      else {
        await this.nothingMore();
        await this.act(marker, text);
      }
    }
    await this.nothingMore();
  }

  options = { replay: 0, reconnect: false, ping: 2 ** 31 - 1, limits: {}, WebSocket: Socket };

  option(text) {
    const [name, value] = text.split(" ");
    if (name === "Sessions") Object.assign(this.options, { replay: 1 << 20, reconnect: true });
    else if (name === "Redirect") this.redirects = true;
    else if (name === "ReplayBytes") this.options.replay = Number(value);
    else if (name === "IdleTimeout") this.options.ping = goTime(value) / 3;
    else if (name === "HandshakeTimeout") this.options.timeout = goTime(value);
    else if (name === "Token") this.options.auth = ((tokens) => () => (tokens.length > 1 ? tokens.shift() : tokens[0]))(text.split(" ").slice(1));
    else this.options.limits[name[0].toLowerCase() + name.slice(1)] = Number(value);
  }

  async act(marker, text) {
    if (marker === "->") this.now.receive(this.filled(text));
    else if (marker === "->close" || marker === "->cut") this.now.lose();
    else if (marker === "<-dial") await this.dialed(text);
    else if (marker === "..") await advance(goTime(text));
    else if (marker === "~>") await this.program(text);
    else if (marker !== "->lost") this.fail("this marker is not for our side");
  }

  /** Waits until our side dials. */
  async dialed(line) {
    const [text, host = "peer"] = line.split(" at ");
    const [least, most] = text.includes(" to ") ? text.split(" to ") : ["0s", text];
    let left = goTime(most);
    if (goTime(least)) {
      await advance(goTime(least) - 1);
      left -= goTime(least) - 1;
      if (Socket.dialed.length) this.fail("our side dials too early");
    }
    for (await settle(); !Socket.dialed.length; ) {
      const wait = nextTimer();
      if (wait > left) this.fail("our side does not dial");
      left -= wait;
      await advance(wait);
    }
    this.sockets.push((this.now = Socket.dialed.shift()));
    if (this.now.host !== host) this.fail(`our side dials ${this.now.host}`);
    this.now.open();
  }

  async program(text) {
    const words = text.split(" "), [name, what] = words;
    if (text === "dial") {
      this.connection = connect("ws://peer", this.options);
      services(this.connection);
      const undo = this.connection.subscribe(() => {
        const { phase, cause } = this.connection.state;
        if (phase === "connecting") return;
        undo();
        this.report(phase === "connected" ? "dialed" : verdict(cause));
      });
      await this.dialed("0s");
    } else if (text === "close") this.connection.close();
    else if (text === "reconnect") this.connection.reconnect();
    else if (text === "state") this.report(`${this.connection.state.phase}, session ${this.connection.state.session}`);
    else if (what === "=") this.operations[name] = begin(this.connection, words.slice(2), { report: (text) => this.report(`${name}: ${text}`), verdict, goTime });
    else this.operations[name].command(words.slice(1));
  }

  report(text) {
    this.reports.push(text);
  }

  filled(line) {
    return line.replace(/«([a-z]+)»/g, (name) => this.tokens[name] ?? name);
  }

  async nothingMore() {
    await settle();
    for (const s of this.sockets) if (s.got.length && !s.got[0].includes('"$/close"')) this.fail(`unexpected:\n<- ${s.got[0].slice(0, 300)}`);
    if (this.reports.length) this.fail(`unexpected:\n~< ${this.reports[0]}`);
  }

  /** Takes lines that come in any order. One $/items may arrive as several. */
  async expect(group) {
    await settle();
    const want = group.map((line) => this.filled(this.redirects ? line : follows(line)));
    while (want.length) {
      const line = this.now.got.shift();
      if (!line) this.fail(`nothing came, want:\n<- ${want[0].slice(0, 300)}`);
      const i = want.findIndex((w) => same(w, line) || part(w, line));
      if (i < 0) this.fail(`got:\n<- ${line.slice(0, 300)}\nwant:\n<- ${want[0].slice(0, 300)}`);
      if (same(want[i], line)) want.splice(i, 1);
      else want[i] = rest(want[i], line);
    }
  }

  async expectClose() {
    await settle();
    if (this.now.got[0]?.includes('"$/close"')) this.now.got.shift();
    if (this.now.got.length) this.fail(`before the close, unexpected:\n<- ${this.now.got[0]}`);
    if (!this.now.ended) this.fail("the connection is still open");
  }

  async expectReport(want) {
    await settle();
    const got = this.reports.shift();
    if (got === undefined) this.fail(`nothing was seen, want:\n~< ${want}`);
    if (untyped.some((line) => want.startsWith(line)) && got.startsWith(want.slice(0, 2))) return;
    if (got !== want && !(this.local(want) && skeleton(got) === skeleton(want))) this.fail(`seen:\n~< ${got}\nwant:\n~< ${want}`);
  }

  /** Whether the text of an error is the runtime's own, which may choose it. */
  local(report) {
    const text = /error (?:-?\d+ )?(.*?)(?: \((?:not run|after|context|a wound|gone).*)?$/.exec(report)?.[1];
    return text !== undefined && !text.startsWith("context") && !this.sent.includes(`"message":"${text}"`);
  }
}

/** A line of our side as a client sends it that follows redirects. */
const follows = (line) => (/"method":"rpc\.(hello|resume)"/.test(line) ? line.replace(/(,"auth":"[^"]*")?\}\}$/, ',"redirect":true$1}}') : line);

/** A report without the text of its error. */
const skeleton = (report) => report.replace(/(error(?: -?\d+)?) .*?((?: \((?:not run|after|context|a wound|gone)[^)]*\))*)$/, "$1$2");

const reason = /("\$\/close","params":\[\d+),.*$/;
const same = (want, line) => want === line || (reason.test(want) && want.replace(reason, "$1") === line.replace(reason, "$1"));

const items = /^(\{"jsonrpc":"2.0","method":"\$\/items","params":\[\d+,\[)(.*)\]\]\}$/;

function part(want, line) {
  const w = items.exec(want), l = items.exec(line);
  return w && l && w[1] === l[1] && w[2].startsWith(l[2] + ",");
}

const rest = (want, line) => items.exec(want)[1] + items.exec(want)[2].slice(items.exec(line)[2].length + 1) + "]]}";

let count = 0, failed = 0;
for (const file of readdirSync(folder).filter((f) => f.endsWith(".txt"))) {
  for (const conversation of read(path.join(folder, file))) {
    const name = `${file.slice(0, -4)}/${conversation.name}`;
    const first = conversation.lines.find((l) => l.marker !== "!");
    if (first?.text !== "dial" || name in others || foreign.test(name) || (only && !name.includes(only))) continue;
    count++;
    Socket.dialed = [];
    reset();
    const replay = new Replay(file, conversation);
    try {
      await replay.run();
    } catch (error) {
      failed++;
      console.log(`${name}: ${error.stack.includes(".txt:") ? error.message : error.stack}`);
    }
    replay.connection?.close();
    await settle();
  }
}
console.log(`${count} conversations, ${failed} failed`);
process.exit(failed || !count ? 1 : 0);
