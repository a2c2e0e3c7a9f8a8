// Only its size is measured: its server is not JavaScript or Go.
import { HubConnectionBuilder } from "@microsoft/signalr";

export async function open(url: string) {
  const conn = new HubConnectionBuilder().withUrl(url).withAutomaticReconnect().build();
  await conn.start();
  return { echo: (v: any) => conn.invoke("Echo", v), items: () => conn.stream("Items"), close: () => conn.stop() };
}
