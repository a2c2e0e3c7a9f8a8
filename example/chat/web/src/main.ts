// The page of the chat room: history that is followed by live messages, who is there and
// who is typing.

import "../../../page/page.css";
import "./style.css";
import { badge } from "../../../page/badge.ts";
import { Network } from "../../../page/network.ts";
import { another } from "../../../page/session.ts";
import { isForgotten, isTooLong, room as roomOf, type Room } from "./api/chat.ts";
import { connect } from "./api/wirecall.ts";
import { ringing } from "./bell.ts";
import { People } from "./people.ts";
import { element, Messages } from "./view.ts";

const network = new Network();
const connection = connect(new URL("rpc", location.href.replace(/^http/, "ws")), { WebSocket: network.WebSocket });
badge(connection, network, element("connection"), element("cut"));
join(roomOf(connection), await askName());

/** Asks for a name, unless this tab has one. */
async function askName(): Promise<string> {
  const known = sessionStorage.getItem("name");
  if (known) return known;
  const dialog = element<HTMLDialogElement>("welcome");
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve));
  const name = element<HTMLInputElement>("name").value.trim();
  sessionStorage.setItem("name", name);
  return name;
}

function join(room: Room, name: string): void {
  const messages = new Messages(element("messages"), name);
  const people = new People(element("people"), element("typing"), name);
  listen(room, messages, people);
  watch(room, people, name);
  talk(room, messages, name);
  ringing(connection, people, element("bell"), name);
}

/** Shows messages. The stream has a cursor: it ends only where the room has forgotten what comes next. */
async function listen(room: Room, messages: Messages, people: People): Promise<void> {
  try {
    for await (const message of room.messages(0)) {
      messages.add(message);
      people.wrote(message.author);
    }
  } catch (error) {
    if (!isForgotten(error)) return;
    messages.clear();
    return listen(room, messages, people);
  }
}

/** Shows who is there. After a restart of the server it enters the room again. */
async function watch(room: Room, people: People, name: string): Promise<void> {
  while (connection.state.phase !== "closed") {
    try {
      const { now, changes } = await room.watch(name);
      people.reset(now.online ?? []);
      for await (const change of changes) people.change(change);
    } catch {
      await another(connection);
    }
  }
}

/** Posts what is typed, and tells the room of the typing. */
function talk(room: Room, messages: Messages, name: string): void {
  const input = element<HTMLInputElement>("text");
  const problem = element("problem");
  let told = 0;
  input.addEventListener("input", () => {
    if (Date.now() - told < 2000) return;
    told = Date.now();
    room.typing(name).catch(() => {}); // that it may be lost does no harm
  });
  element("post").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    input.value = problem.textContent = "";
    told = 0;
    const done = messages.pending(name, text);
    try {
      await room.post(name, text);
    } catch (error) {
      problem.textContent = isTooLong(error) ? `Not posted: ${error.data.size} bytes, of ${error.data.max} at most.` : `Not posted: ${(error as Error).message}`;
      input.value ||= text;
    } finally {
      done();
    }
  });
  input.focus();
}
