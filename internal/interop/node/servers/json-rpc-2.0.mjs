import { JSONRPCErrorException, JSONRPCServer } from "json-rpc-2.0";
import { add, failure, note, serve } from "./calc.js";

const server = new JSONRPCServer({ errorListener: () => {} });
server.addMethod("calc_add", ([a, b]) => add(a, b));
server.addMethod("calc_fail", ([, detail]) => {
  const { message, code, data } = failure(detail);
  throw new JSONRPCErrorException(message, code, data);
});
server.addMethod("calc_note", ([text]) => note(text));

serve((ws) => {
  ws.on("message", async (data) => {
    const answer = await server.receive(JSON.parse(data));
    if (answer) ws.send(JSON.stringify(answer));
  });
});
