// The page of the arena: a room that one plays in or watches.

import "../../../page/page.css";
import "./style.css";
import { badge } from "../../../page/badge.ts";
import { Network } from "../../../page/network.ts";
import { arena as arenaOf, isBadName, isFull, type Arena, type State } from "./api/arena.ts";
import { connect } from "./api/wirecall.ts";
import { Field } from "./field.ts";
import { Scores } from "./scores.ts";
import { Stick } from "./stick.ts";
import { apply, Timeline } from "./timeline.ts";
import { ask, element, problem, type Visit } from "./welcome.ts";

const network = new Network();
const connection = connect(new URL("rpc", location.href.replace(/^http/, "ws")), { WebSocket: network.WebSocket });
badge(connection, network, element("connection"), element("cut"));
const canvas = element<HTMLCanvasElement>("field");
const field = new Field(canvas);
const scores = new Scores(element("scores"), element("status"));
const stick = new Stick(canvas);
visit(arenaOf(connection), await ask());

/** Plays or watches, and asks again when the room refuses. */
async function visit(arena: Arena, wish: Visit): Promise<void> {
  const { you, key } = await arena.enter();
  while (connection.state.phase !== "closed") {
    const leave = new AbortController();
    const { signal } = leave;
    try {
      await Promise.race([
        repeat(() => watch(arena, wish.room, wish.name ? you : 0, signal), signal),
        repeat(() => (wish.name ? arena.play(wish.room, wish.name, key, stick.inputs(() => connection.state.phase === "connected"), { signal }) : end(signal)), signal),
      ]);
    } catch (error) {
      problem((error as Error).message);
      wish = await ask(true);
    } finally {
      leave.abort();
    }
  }
}

/** Makes a call again when its node has gone, or it was too far behind, until it is refused. */
async function repeat(call: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await call();
    } catch (error) {
      if (isFull(error) || isBadName(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** Resolves when a signal is aborted. */
function end(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}

/** Shows a room. The stream has a cursor, and goes on at another node. */
async function watch(arena: Arena, room: string, you: number, signal: AbortSignal): Promise<void> {
  const timeline = new Timeline();
  let state: State = { tick: 0, players: [], gems: [] };
  field.show(timeline, you);
  for await (const { value } of arena.watch(room, "", { signal })) {
    state = apply(state, value);
    timeline.add(state, performance.now());
    scores.show(state, you);
  }
}
