// What the servers here serve: see Calc in ../../service_test.go.

import { WebSocketServer } from "ws";

export const add = (a, b) => a + b;
export const failure = (detail) => ({ code: 77, message: "failed as asked", data: { detail } });
export const note = (text) => console.log(text);

// listening says where a server can be reached, on the first line.
export const listening = (port, scheme = "ws") => console.log(`${scheme}://127.0.0.1:${port}`);

// serve calls f with each connection.
export function serve(f) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  server.on("listening", () => listening(server.address().port));
  server.on("connection", f);
}
