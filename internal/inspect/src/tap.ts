// WebSockets whose frames can be seen, and which can be cut as a network is.

import { redacted, type Message } from "./redact.ts";

/** An Event is a message of a frame, or what has happened to a socket. */
export interface Event {
  /** When, as performance.now() has it. */
  readonly at: number;
  readonly socket: number;
  readonly sent: boolean;
  /** The bytes of the message; 0 for what has happened to the socket. */
  readonly bytes: number;
  /** The message without secrets; undefined for what is none. */
  readonly message: Message | undefined;
  /** What is shown if there is no message. */
  readonly text: string;
}

const encoder = new TextEncoder();

/** A Tap makes WebSockets and reports what passes through them. */
export class Tap {
  readonly WebSocket: typeof WebSocket;
  readonly #open: Set<WebSocket> = new Set();
  readonly #listeners: Set<(event: Event) => void> = new Set();
  #sockets = 0;
  #down = false;

  constructor() {
    const tap = this;
    this.WebSocket = class extends WebSocket {
      readonly #number = ++tap.#sockets;

      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        const note = (text: string): void => tap.#report({ at: performance.now(), socket: this.#number, sent: false, bytes: 0, message: undefined, text });
        tap.#open.add(this);
        // These come before the handlers of the client, which it sets later.
        this.addEventListener("open", () => note("the socket is open"));
        this.addEventListener("message", ({ data }) => tap.#frame(this.#number, false, data));
        this.addEventListener("close", ({ code, reason }) => {
          tap.#open.delete(this);
          note(`the socket has closed: ${code}${reason && ": "}${reason}`);
        });
        if (tap.#down) this.close();
      }

      override send(data: string): void {
        super.send(data);
        tap.#frame(this.#number, true, data);
      }
    };
  }

  /** Has a function called with each event. */
  listen(listener: (event: Event) => void): void {
    this.#listeners.add(listener);
  }

  /** Whether sockets are cut, and none opens. */
  get down(): boolean {
    return this.#down;
  }

  set down(down: boolean) {
    this.#down = down;
    if (down) for (const socket of this.#open) socket.close(4000, "cut by hand");
  }

  #frame(socket: number, sent: boolean, data: unknown): void {
    const at = performance.now();
    if (typeof data !== "string") return this.#report({ at, socket, sent, bytes: 0, message: undefined, text: "a binary frame" });
    for (const line of data.split("\n")) {
      const message = redacted(line, sent);
      this.#report({ at, socket, sent, bytes: encoder.encode(line).length, message, text: message ? "" : "no message" });
    }
  }

  #report(event: Event): void {
    for (const listener of this.#listeners) listener(event);
  }
}
