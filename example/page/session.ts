/** What another uses of a connection. */
interface Connection {
  readonly state: { readonly phase: string; readonly session?: unknown };
  subscribe(listener: () => void): () => void;
}

/** Resolves when there is another session than now, or when the connection is closed. */
export function another(connection: Connection): Promise<void> {
  const { session } = connection.state;
  return new Promise((resolve) => {
    const undo = connection.subscribe(() => {
      if (connection.state.session === session && connection.state.phase !== "closed") return;
      undo();
      resolve();
    });
  });
}
