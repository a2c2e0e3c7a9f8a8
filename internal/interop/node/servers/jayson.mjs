import { WebSocketServer } from "ws";
import { listening } from "./calc.js";
import { server } from "./jayson.js";

const wss = new WebSocketServer({ port: 0, host: "127.0.0.1" });
wss.on("listening", () => listening(wss.address().port));
server.websocket({ wss });
