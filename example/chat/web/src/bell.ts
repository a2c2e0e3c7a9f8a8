import { another } from "../../../page/session.ts";
import { bells as bellsOf, VisitorService } from "./api/bells.ts";
import { serve, type Connection } from "./api/wirecall.ts";
import type { People } from "./people.ts";

/**
 * Has others ring at this page, and this page at others, where the server has bells: a node
 * of a cluster.
 */
export async function ringing(connection: Connection, people: People, status: HTMLElement, name: string): Promise<void> {
  const bells = bellsOf(connection);
  const say = (text: string): string => (status.textContent = text);
  serve(connection, VisitorService, { bell: async (from) => void say(`${from} rings.`) });
  while (connection.state.phase !== "closed") {
    try {
      await bells.answer(name);
      people.ringable(async (other) => {
        try {
          say((await bells.ring(name, other)) ? `You have rung at ${other}.` : `${other} has no bell.`);
        } catch (error) {
          say((error as Error).message);
        }
      });
    } catch {} // it has none, or is lost
    await another(connection);
  }
}
