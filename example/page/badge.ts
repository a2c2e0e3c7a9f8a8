import type { Network } from "./network.ts";

/** What a badge uses of a connection. */
interface Connection {
  readonly state: { readonly phase: "connecting" | "connected" | "detached" | "refused" | "closed" };
  subscribe(listener: () => void): () => void;
  reconnect(): void;
}

const words = {
  connecting: "Connecting …",
  connected: "Connected",
  detached: "Reconnecting …",
  refused: "Not allowed in",
  closed: "Disconnected",
} as const;

/** Shows the state of a connection, and has a button cut its network and mend it. */
export function badge(connection: Connection, network: Network, output: HTMLElement, button: HTMLButtonElement): void {
  const show = (): void => {
    const { phase } = connection.state;
    output.dataset["phase"] = phase;
    output.textContent = words[phase];
  };
  connection.subscribe(show);
  show();
  button.addEventListener("click", () => {
    network.down = !network.down;
    button.setAttribute("aria-pressed", String(network.down));
    if (!network.down) connection.reconnect();
  });
}
