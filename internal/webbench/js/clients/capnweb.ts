import { newWebSocketRpcSession } from "capnweb";

export async function open(url: string) {
  const api: any = newWebSocketRpcSession(url);
  return {
    echo: (v: any) => api.echo(v),
    items: () => ({
      async *[Symbol.asyncIterator]() {
        const stream: ReadableStream = await api.items();
        const reader = stream.getReader();
        try {
          for (;;) {
            const { done, value } = await reader.read();
            if (done) return;
            yield value;
          }
        } finally {
          reader.cancel();
        }
      },
    }),
    close: () => api[Symbol.dispose](),
  };
}
