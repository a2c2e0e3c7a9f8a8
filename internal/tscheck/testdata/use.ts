// How programs use what is generated: it is compiled, and must not be where a line says so.
import type { Page, User } from "./generics/generics.ts";
import { Month, standard, StandardService, type Event, type Standard } from "./standard/standard.ts";
import type { Connection, Service } from "./standard/wirecall.ts";

declare const connection: Connection;

export async function generics(page: Page<User>): Promise<number> {
  // @ts-expect-error: a slice may be null
  page.items.length;
  return page.items?.length ?? 0;
}

export async function standards(): Promise<void> {
  const client: Standard = standard(connection);
  const table: Service<Standard> = StandardService;
  const at: string | null = await client.time("2026-01-01T00:00:00Z", 1e9, Month.May);
  await client.time("2026-01-01T00:00:00Z", 1e9, 13, { signal: AbortSignal.timeout(1) });
  const sum: bigint = await client.other(1n, "[::1]:80");
  const event: Event = { at: at ?? "", took: 1, Raw: { sum: Number(sum), table }, Bytes: new Uint8Array(1), Blob: null, Named: null };
  // @ts-expect-error: a member that may be left out is not undefined
  event.Ptr = undefined;
  // @ts-expect-error: bytes are no text
  event.Bytes = "AA==";
}
