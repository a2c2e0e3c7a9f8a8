// A page that draws the points of a feed, once a frame.
import { Chart } from "chart";
import { lab } from "./lab.ts";
import { connect } from "./wirecall.ts";

interface Point {
  seq: number;
  time: number;
  value: number;
}

let socket: WebSocket;

class Socket extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols);
    socket = this;
  }
}

const url = (path: string): string => location.origin.replace("http", "ws") + path;
const client = lab(connect(url("/rpc"), { WebSocket: Socket }));
const chart = new Chart(document.querySelector("#chart")!);

/**
 * Draws what read hands it, which are n points in order. The trace has marks where that begins and ends.
 */
async function draw(n: number, read: (take: (point: Point) => void) => Promise<void>): Promise<number> {
  let next = 0;
  const frame = (): void => {
    chart.draw();
    if (next < n) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  performance.mark("begin");
  await read((point) => {
    if (point.seq !== next++) throw new Error(`point ${point.seq} has come in the place of ${next - 1}`);
    chart.add(point.time, point.value);
  });
  performance.mark("end");
  return next;
}

/** Draws a feed. */
const feed = (n: number, rate: number, tick: number): Promise<number> =>
  draw(n, async (take) => {
    for await (const point of client.feed(n, rate, tick)) take(point);
  });

/** Draws a feed of a socket that carries nothing but lists of points. */
const bare = (n: number, rate: number, tick: number): Promise<number> =>
  draw(n, (take) => new Promise((resolve) => {
    const socket = new WebSocket(url(`/bare?n=${n}&rate=${rate}&tick=${tick}`));
    socket.onmessage = ({ data }) => JSON.parse(data).forEach(take);
    socket.onclose = () => resolve();
  }));

/** Reads a feed, and counts the messages after whose handlers not all of their points had been read. */
async function late(n: number, rate: number, tick: number): Promise<{ read: number; arrived: number; late: number }> {
  const counts = { read: 0, arrived: 0, late: 0 };
  await client.echo("connected");
  socket.addEventListener("message", ({ data }) => {
    for (const line of data.split("\n")) {
      const { method, params } = JSON.parse(line);
      if (method === "$/items") counts.arrived += params[1].length;
    }
    if (counts.read !== counts.arrived) counts.late++;
  });
  for await (const _ of client.feed(n, rate, tick)) counts.read++;
  await new Promise((resolve) => setTimeout(resolve)); // the listener has yet to see the last message
  return counts;
}

Object.assign(globalThis, { feed, bare, late });
