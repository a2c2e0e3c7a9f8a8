// What the pages of the examples share: a network that can be cut, and a badge that says
// how the connection is.

/** A Network makes WebSockets that can be cut, to see what a page does then. */
export class Network {
  readonly WebSocket: typeof WebSocket;
  readonly #open: Set<WebSocket> = new Set();
  #down = false;

  constructor() {
    const network = this;
    this.WebSocket = class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        network.#open.add(this);
        this.addEventListener("close", () => network.#open.delete(this));
        if (network.#down) this.close();
      }
    };
  }

  /** Whether sockets are lost, and none opens. */
  get down(): boolean {
    return this.#down;
  }

  set down(down: boolean) {
    this.#down = down;
    if (!down) return;
    for (const socket of this.#open) socket.close(4000, "the network is cut");
  }
}
