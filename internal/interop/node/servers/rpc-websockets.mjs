import { Server } from "rpc-websockets";
import { add, failure, listening, note } from "./calc.js";

const server = new Server({ port: 0, host: "127.0.0.1" });
server.on("listening", () => listening(server.wss.address().port));
server.register("calc_add", ([a, b]) => add(a, b));
server.register("calc_fail", ([, detail]) => {
  throw failure(detail);
});
server.register("calc_note", ([text]) => note(text));

// Its events: see Feeds and Publisher in ../../service_test.go.
server.event("prices");
server.event("alarms");
server.register("publish", ([event, price, alarm]) => server.emit(event, alarm ?? price));
