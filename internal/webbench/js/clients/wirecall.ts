import { connect } from "../api/wirecall.ts";
import { bench } from "../api/api.ts";

export async function open(url: string) {
  const conn = connect(url);
  const api = bench(conn);
  return { echo: (v: any) => api.echo(v), items: () => api.items(), close: () => conn.close() };
}
