// The page of the inspector: it connects, asks what the server has, and wires its parts.

import "./style.css";
import { connect, RpcError, type Connection } from "../../../typescript/wirecall.ts";
import { Card, showError, type Request } from "./call.ts";
import { Composer } from "./composer.ts";
import { Connections } from "./connections.ts";
import { Ledger } from "./credit.ts";
import { Description, undescribed, type Method } from "./description.ts";
import { element } from "./dom.ts";
import { Frames } from "./frames.ts";
import { History, type Entry } from "./history.ts";
import { Incoming } from "./incoming.ts";
import { parse } from "./json.ts";
import { Methods } from "./methods.ts";
import { tabs } from "./tabs.ts";
import { Tap } from "./tap.ts";

/** What the page is told by the program that serves it. */
interface Config {
  url: string;
  target: string;
  connections: boolean;
  token: boolean;
  resume: boolean;
}

/** The bytes that a message may have: those that wirecall inspect passes on. */
const largest = 16 << 20;

const words = { connecting: "Connecting …", connected: "Connected", detached: "Cut: the session waits", refused: "Not allowed in", closed: "Closed" };

const config: Config = await (await fetch("config")).json();
const url = new URL(config.url, location.href);
url.protocol = url.protocol.replace(/^http/, "ws");

const tap = new Tap();
const ledger = new Ledger();
const frames = new Frames();
let connection = open();
const incoming = new Incoming(connection, element("incoming-list"), element("incoming-count"));
const methods = new Methods(choose);
const history = new History(url.href + " " + config.target, enterAgain);
let description = new Description(undefined);
let composer: Composer | undefined;

tap.listen((event) => {
  incoming.see(event); // first: it serves the method that the client looks for next
  ledger.see(event);
  frames.see(event);
});
element("target").textContent = config.target || url.href;
element("incoming-answer").addEventListener("change", (event) => (incoming.answers = (event.target as HTMLInputElement).checked));
wireNetwork();
wireToken();
wireUndescribed();
const seen: Record<string, { shown: boolean }> = { frames };
if (config.connections) seen["connections"] = new Connections();
else element("tab-connections").remove();
tabs((name) => Object.entries(seen).forEach(([of, part]) => (part.shown = of === name)));
describe();

/** Makes a connection, with a token if there is one. */
function open(token = ""): Connection {
  const made = connect(url, { WebSocket: tap.WebSocket, limits: { message: largest }, ...(token && { auth: () => token }), ...(!config.resume && { replay: 0 }) });
  const show = (): void => {
    if (made !== connection) return;
    const { phase, session, cause } = made.state;
    const output = element("phase");
    output.dataset["phase"] = phase;
    output.textContent = words[phase];
    element("session").textContent = session ? `session ${session}` : "";
    element("cause").textContent = phase === "connected" || !cause ? "" : (cause as Error).message;
  };
  made.subscribe(show);
  queueMicrotask(show);
  return made;
}

/** Asks the server what it has. */
async function describe(): Promise<void> {
  const asked = connection, status = element("described");
  status.replaceChildren("Asking the server what it has …");
  let failure: unknown, said: unknown;
  try {
    const discover = { name: "rpc.discover", results: ["result"], idempotent: true as const, exact: parse as (text: string) => any };
    said = await asked.call(discover, []);
  } catch (error) {
    failure = error;
  }
  if (asked !== connection) return; // another has taken its place, and has been asked
  description = new Description(said);
  status.replaceChildren(...(failure ? notDescribed(failure) : []));
  element("method-filter").hidden = description.methods.length < 2;
  if (failure) element<HTMLDetailsElement>("by-name").open = true;
  methods.show(description);
  if (description.methods.length && !composer) choose(description.methods[0]!);
}

/** Says why there is no description. */
function notDescribed(error: unknown): (string | HTMLElement)[] {
  const unknown = error instanceof RpcError && error.code === -32601;
  return unknown
    ? ["The server does not describe itself: a wirecall server does with ServerOptions.Describe. Methods can be called by their names."]
    : ["The server has not said what it has. Methods can be called by their names.", showError(error)];
}

/** Shows the form of a method. */
function choose(method: Method): void {
  composer = new Composer(method, description, send);
  methods.mark(method.name);
}

function send(request: Request): void {
  const params = composer!.text;
  const card = new Card(connection, request, ledger);
  const cards = element("cards");
  cards.prepend(card.element);
  while (cards.childElementCount > 50) cards.lastElementChild!.remove();
  const at = Date.now();
  card.done.then(({ ok, ms }) => history.add({ method: request.method.name, params, at, ok, ms }));
}

/** Enters a call of the history in its form. */
function enterAgain({ method, params }: Entry): void {
  choose(description.methods.find((m) => m.name === method) ?? undescribed(method, false));
  composer!.text = params;
  element("tab-call").click();
}

/** Cuts the network of the page by hand, and mends it. */
function wireNetwork(): void {
  const button = element("cut");
  button.addEventListener("click", () => {
    tap.down = !tap.down;
    button.toggleAttribute("data-on", tap.down);
    button.textContent = tap.down ? "Resume" : "Cut";
    if (!tap.down) connection.reconnect();
  });
  element("again").addEventListener("click", () => renew());
}

/** Makes another connection in place of the one there is. */
function renew(token?: string): void {
  const old = connection;
  connection = open(token);
  old.close();
  incoming.connect(connection);
  describe();
}

function wireToken(): void {
  const form = element<HTMLFormElement>("token-form");
  form.hidden = !config.token;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    renew(element<HTMLInputElement>("token").value);
  });
}

/** Lets a method be called that is not described. */
function wireUndescribed(): void {
  element("by-name-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = element<HTMLInputElement>("by-name-method").value.trim();
    if (name) choose(undescribed(name, element<HTMLInputElement>("by-name-stream").checked));
  });
}
