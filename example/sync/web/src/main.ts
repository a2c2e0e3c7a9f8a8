// The page of a list: it can be edited with or without a network, and converges with all
// others.

import "../../../page/page.css";
import "./style.css";
import { badge } from "../../../page/badge.ts";
import { Network } from "../../../page/network.ts";
import { lists as listsOf } from "./api/lists.ts";
import { connect } from "./api/wirecall.ts";
import { Replica } from "./replica.ts";
import { element, View } from "./view.ts";

const network = new Network();
const connection = connect(new URL("rpc", location.href.replace(/^http/, "ws")), { WebSocket: network.WebSocket });
badge(connection, network, element("connection"), element("cut"));

const list = new URLSearchParams(location.search).get("list") ?? "home";
element("name").textContent = document.title = `List: ${list}`;
const problem = element("problem");
const replica = new Replica(list, (edit, why) => (problem.textContent = `Not stored: “${edit.text ?? edit.item}”: ${why}`));
new View(replica);

const input = element<HTMLInputElement>("text");
element("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text) return;
  problem.textContent = input.value = "";
  replica.edit(crypto.randomUUID(), { text });
});

const lists = listsOf(connection);
for (const work of [replica.send(lists), replica.receive(lists)]) {
  work.catch((error: Error) => (problem.textContent = `No longer in step: ${error.message}. Load the page again; your edits are kept.`));
}
