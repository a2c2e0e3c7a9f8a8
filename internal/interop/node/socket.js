// What vscode-ws-jsonrpc takes for a socket, over one of ws.

import WebSocket from "ws";

export function socketOf(ws) {
  return {
    send: (content) => ws.send(content),
    onMessage: (f) => ws.on("message", (data) => f(data.toString())),
    onError: (f) => ws.on("error", f),
    onClose: (f) => ws.on("close", f),
    dispose: () => ws.close(),
  };
}

export async function openSocket(url) {
  const ws = new WebSocket(url);
  await new Promise((open, fail) => ws.on("open", open).on("error", fail));
  return { ws, socket: socketOf(ws) };
}
