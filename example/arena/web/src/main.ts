// The page of the arena: a room that one plays in or watches.

import "../../../page/page.css";
import "./style.css";
import { badge } from "../../../page/badge.ts";
import { Network } from "../../../page/network.ts";
import { another } from "../../../page/session.ts";
import { arena as arenaOf, isBadName, isFull, type Arena } from "./api/arena.ts";
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
visit(arenaOf(connection));

/** Plays or watches, and again after a restart of the server, or when the room refuses. */
async function visit(arena: Arena): Promise<void> {
  let wish = await ask();
  while (connection.state.phase !== "closed") {
    try {
      await follow(arena, wish);
    } catch (error) {
      if (isFull(error) || isBadName(error)) {
        problem(error.message);
        wish = await ask(true);
      } else {
        await another(connection);
      }
    }
  }
}

/** Shows a room for as long as the stream of its changes goes on. */
async function follow(arena: Arena, { room, name }: Visit): Promise<void> {
  const { you, now, changes } = name
    ? await arena.play(room, name, stick.inputs(() => connection.state.phase === "connected"))
    : { you: 0, ...(await arena.watch(room)) };
  let state = now;
  const timeline = new Timeline();
  field.show(timeline, you);
  for await (const delta of changes) {
    state = apply(state, delta);
    timeline.add(state, performance.now());
    scores.show(state, you);
  }
}
