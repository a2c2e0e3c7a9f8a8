// Only its size is measured: it has channels in place of streams.
import { Centrifuge } from "centrifuge";

export async function open(url: string) {
  const client = new Centrifuge(url);
  client.connect();
  return { echo: (v: any) => client.rpc("echo", v), items: () => client.newSubscription("items"), close: () => client.disconnect() };
}
