import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";

export async function open(url: string) {
  const ws = createWSClient({ url });
  const api: any = createTRPCClient({ links: [wsLink({ client: ws })] });
  return {
    echo: (v: any) => api.echo.query(v),
    // Items come to a callback: an iterable of them is what a user builds, and nothing holds the server back.
    items() {
      const queue: any[] = [];
      let wake: (() => void) | undefined;
      const end = api.items.subscribe(undefined, { onData: (item: any) => (queue.push(item), wake?.()) });
      return {
        async *[Symbol.asyncIterator]() {
          try {
            for (;;) {
              for (let i = 0; i < queue.length; i++) yield queue[i];
              queue.length = 0;
              await new Promise<void>((resolve) => (wake = resolve));
            }
          } finally {
            end.unsubscribe();
          }
        },
      };
    },
    close: () => ws.close(),
  };
}
