// The service of the conversations: see Subject in rpc/service_test.go, and what the
// programs of rpc/testdata/README.md call of it.

const wound = { name: "rpc_test.wound", code: 1002 }, gone = { name: "Test.Gone", code: 1 };
const stream = (name, stream = true) => ({ name, stream });
const method = (name, params = [], results = [], more = {}) => ({ name: "Test." + name, params, results, errors: [wound, gone], ...more });

/** What the tables of a runtime name of it. */
const table = ({ notify, upload, follow }) => ({
  name: "Test",
  methods: {
    add: method("Add", ["a", "b"], ["r0"]),
    divide: method("Divide", ["a", "b"], ["quotient", "remainder"]),
    nothing: method("Nothing"),
    say: method("Say", ["v"], ["r0"]),
    sleep: method("Sleep", ["ms"], ["r0"]),
    meta: method("Meta", [], ["r0"]),
    fail: method("Fail", ["how"]),
    ask: method("Ask", ["a", "b"], ["r0"]),
    note: method("Note", ["text", "ms"], [], { notify }),
    count: method("Count", ["n"], [stream("r0")]),
    tick: method("Tick", ["n"], [stream("r0")]),
    follow: method("Follow", ["after", "last"], [stream("r0")], { cursor: { param: "after", path: ["N"], follow } }),
    blobs: method("Blobs", ["n", "size"], [stream("r0")]),
    watch: method("Watch", [], ["now", stream("changes")]),
    sum: method("Sum", [stream("nums", upload)], ["r0"]),
    echo: method("Echo", [stream("lines", upload)], [stream("r0")]),
  },
});

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Serves Test to the server of a connection. */
export function services(connection) {
  const peer = runtime.client(connection, Test);
  runtime.serve(connection, Test, {
    add: (a, b) => a + b,
    ask: (a, b) => peer.add(a, b),
    sleep: async (ms) => (await sleep(ms), "slept"),
    note: (_, ms) => sleep(ms),
    async *tick(n) {
      for (let i = 1; i <= n; i++) {
        await sleep(1000);
        yield i;
      }
    },
  });
}

/** What a program calls, and what it sees of it: a value, or a stream with how to show an item. */
const calls = {
  add: async (s, [a, b], o) => [await s.add(Number(a), Number(b), o)],
  divide: async (s, [a, b], o) => [await s.divide(Number(a), Number(b), o).then((r) => `${r.quotient} rest ${r.remainder}`)],
  nothing: async (s, _, o) => [(await s.nothing(o), "nothing")],
  meta: async (s, _, o) => [`map[${Object.entries(await s.meta(o)).map(([k, v]) => `${k}:${v}`)}]`],
  fail: async (s, [how], o) => [(await s.fail(how, o), "no failure")],
  say: async (s, [v], o) => [`${(await s.say(v, o)).length} bytes`],
  note: async (s, [text, ms], o) => [(await s.note(text, Number(ms), o), "sent")],
  count: (s, [n], o) => opened(s.count(Number(n), o)),
  watch: async (s, _, o) => {
    const { now, changes } = await s.watch(o);
    return [now, changes, String];
  },
  follow: (s, [last], o) => opened(s.follow(0, Number(last), o), (item) => `{${item.N}}`),
  blobs: (s, [n, size], o) => opened(s.blobs(Number(n), Number(size), o), (item) => item.length),
  sum: async (s, [n, how], o) => [await s.sum(upTo(Number(n), how), o)],
  sumnil: async (s, _, o) => [await s.sum(null, o)],
  echo: (s, [words], o) => opened(s.echo(words.split(","), o)),
};

async function opened(stream, show = String) {
  await stream.ready;
  return ["open", stream, show];
}

function* upTo(n, how) {
  for (let i = 1; i <= n; i++) yield i;
  if (how === "typed") throw new runtime.RpcError(1002, "a wound", { type: "rpc_test.wound", data: { depth: 3 } });
}

let runtime, Test;
/** Has a runtime be what is tested. */
export function use(module) {
  runtime = module;
  Test = table(module);
}

/** Makes a call as the words of a line say. Returns what takes further commands. */
export function begin(connection, words, { report, verdict, goTime }) {
  let answer = {};
  const controller = new AbortController(), options = { signal: controller.signal };
  for (; words.length > 2; words = words.slice(0, -2)) {
    const [option, value] = words.slice(-2);
    if (option === "within") options.timeout = goTime(value);
    else if (option === "meta") {
      options.meta = { [value.split("=")[0]]: value.split("=")[1] };
      options.onMeta = (meta) => (answer = meta);
    } else break;
  }
  const wanted = [];
  let wake = () => {};
  const more = async () => {
    while (!wanted.length) await new Promise((resolve) => (wake = resolve));
    return wanted.shift();
  };
  read(calls[words[0]](runtime.client(connection, Test), words.slice(1), options), report, verdict, more).then(() => Object.entries(answer).forEach(([k, v]) => report(`meta ${k}=${v}`)));
  return {
    command([what, n = 1]) {
      if (what === "cancel") return controller.abort(new Error("context canceled"));
      wanted.push({ leave: 0, all: -1, next: Number(n) }[what]);
      wake();
    },
  };
}

/** Reads from a stream as many items as the commands ask for. */
async function read(call, report, verdict, more) {
  let shown = [];
  try {
    const [value, stream, show] = await call;
    report(String(value));
    if (!stream) return;
    let want = await more();
    if (want === 0) return stream[Symbol.asyncIterator]().return().then(() => report("left"));
    for await (const item of stream) {
      shown.push(show(item));
      if (--want) continue;
      report(shown.join(" "));
      shown = [];
      if ((want = await more()) === 0) break;
    }
    report(want === 0 ? "left" : [...shown, "end"].join(" "));
  } catch (error) {
    report([...shown, verdict(error)].join(" "));
  }
}
