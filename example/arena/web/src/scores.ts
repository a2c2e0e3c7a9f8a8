import type { Player, State } from "./api/arena.ts";

/** Returns the color of a player. */
export function color(id: number): string {
  return `hsl(${id % 360} 65% 50%)`;
}

/** Scores lists the players, and says in words how one is doing. */
export class Scores {
  readonly #list: HTMLElement;
  readonly #status: HTMLElement;
  readonly #items: Map<number, HTMLElement> = new Map();

  constructor(list: HTMLElement, status: HTMLElement) {
    this.#list = list;
    this.#status = status;
  }

  show(state: State, you: number): void {
    const players = [...(state.players ?? [])].sort((a, b) => b.score - a.score || a.id - b.id);
    const items = players.map((player) => this.#item(player, player.id === you));
    if (items.length !== this.#list.childElementCount || items.some((item, i) => item !== this.#list.children[i])) this.#list.replaceChildren(...items);
    for (const id of this.#items.keys()) if (!players.some((player) => player.id === id)) this.#items.delete(id);
    write(this.#status, summary(players, you));
  }

  #item(player: Player, own: boolean): HTMLElement {
    let item = this.#items.get(player.id);
    if (!item) {
      item = document.createElement("li");
      item.style.setProperty("--color", color(player.id));
      item.className = own ? "you" : "";
      item.append(document.createElement("span"), document.createElement("span"));
      this.#items.set(player.id, item);
    }
    item.dataset["at"] = `${player.x},${player.y}`; // for tests
    write(item.children[0]!, player.name);
    write(item.children[1]!, String(player.score));
    return item;
  }
}

function summary(players: readonly Player[], you: number): string {
  const place = players.findIndex((player) => player.id === you);
  if (place < 0) return `You watch ${players.length === 1 ? "one player" : `${players.length} players`}.`;
  const { score } = players[place]!;
  return `You have ${score === 1 ? "one gem" : `${score} gems`}: place ${place + 1} of ${players.length}.`;
}

function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
