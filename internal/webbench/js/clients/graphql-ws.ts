import { createClient } from "graphql-ws";

const echo = "query($v: ValueInput!) { echo(v: $v) { id name tags } }";

export async function open(url: string) {
  const client = createClient({ url, lazy: false });
  return {
    async echo(v: any) {
      for await (const result of client.iterate<any>({ query: echo, variables: { v } })) return result.data.echo;
    },
    items: () => ({
      async *[Symbol.asyncIterator]() {
        for await (const result of client.iterate<any>({ query: "subscription { items { seq price symbol } }" })) yield result.data.items;
      },
    }),
    close: () => client.dispose(),
  };
}
