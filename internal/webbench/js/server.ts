// The servers of the clients that are not wirecall's. It serves the peer that is its
// argument on a free port, prints the URL, and ends with its standard input.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

async function* items() {
  for (let seq = 0; ; seq++) {
    yield { seq, price: 100 + (seq % 1000) / 8, symbol: "AAPL" };
    if (seq % 64 === 63) await new Promise(setImmediate); // or nothing else would run
  }
}

const serve: Record<string, (wss: WebSocketServer) => Promise<void>> = {
  async trpc(wss) {
    const { initTRPC } = await import("@trpc/server");
    const { applyWSSHandler } = await import("@trpc/server/adapters/ws");
    const t = initTRPC.create();
    const router = t.router({
      echo: t.procedure.input((v: any) => v).query(({ input }) => input),
      items: t.procedure.subscription(() => items()),
    });
    applyWSSHandler({ wss, router });
  },
  async "graphql-ws"(wss) {
    const { buildSchema } = await import("graphql");
    const { useServer } = await import("graphql-ws/use/ws");
    const schema = buildSchema(`
      type Value { id: Int! name: String! tags: [String!]! }
      input ValueInput { id: Int! name: String! tags: [String!]! }
      type Item { seq: Int! price: Float! symbol: String! }
      type Query { echo(v: ValueInput!): Value! }
      type Subscription { items: Item! }`);
    schema.getSubscriptionType()!.getFields().items.subscribe = async function* () {
      for await (const item of items()) yield { items: item };
    };
    useServer({ schema, roots: { query: { echo: ({ v }: any) => v } } }, wss);
  },
  async capnweb(wss) {
    const { newWebSocketRpcSession, RpcTarget } = await import("capnweb");
    class Api extends RpcTarget {
      echo(v: any) {
        return v;
      }
      items() {
        const source = items();
        return new ReadableStream({
          async pull(controller) {
            controller.enqueue((await source.next()).value);
          },
        });
      }
    }
    wss.on("connection", (ws: any) => newWebSocketRpcSession(ws, new Api()));
  },
};

const server = createServer().listen(0, "127.0.0.1", async () => {
  await serve[process.argv[2]](new WebSocketServer({ server }));
  console.log(`ws://127.0.0.1:${(server.address() as any).port}`);
});
process.stdin.on("end", () => process.exit(0)).resume();
