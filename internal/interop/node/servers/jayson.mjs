import jayson from "jayson";
import { WebSocketServer } from "ws";
import { add, failure, listening, note } from "./calc.js";

const server = new jayson.Server({
  calc_add: ([a, b], done) => done(null, add(a, b)),
  calc_fail: ([, detail], done) => done(failure(detail)),
  calc_note: ([text], done) => done(null, note(text)),
});
const wss = new WebSocketServer({ port: 0, host: "127.0.0.1" });
wss.on("listening", () => listening(wss.address().port));
server.websocket({ wss });
