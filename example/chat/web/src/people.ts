import type { Delta } from "./api/chat.ts";
import { make } from "./view.ts";

// How long somebody is typing who has last been said to be.
const typingTime = 4000;

/** People shows who is in the room, and who is typing. */
export class People {
  readonly #list: HTMLElement;
  readonly #typing: HTMLElement;
  readonly #name: string;
  readonly #here: Set<string> = new Set();
  readonly #writers: Map<string, number> = new Map(); // with the timer that ends it
  #ring: ((name: string) => void) | undefined; // rings at somebody

  constructor(list: HTMLElement, typing: HTMLElement, name: string) {
    this.#list = list;
    this.#typing = typing;
    this.#name = name;
  }

  /** Begins with those who are there. */
  reset(names: readonly string[]): void {
    this.#here.clear();
    this.change({ joined: [...names] });
  }

  change({ joined = [], left = [], typing = [] }: Delta): void {
    for (const name of joined) this.#here.add(name);
    for (const name of left) {
      this.#here.delete(name);
      this.wrote(name);
    }
    for (const name of typing) this.#types(name);
    this.#list.replaceChildren(...[...this.#here].sort().map((name) => this.#item(name)));
  }

  /** Has everybody else be rung at by a press on the name. */
  ringable(ring: (name: string) => void): void {
    this.#ring = ring;
    this.change({});
  }

  #item(name: string): HTMLElement {
    if (name === this.#name || !this.#ring) return make("li", name === this.#name ? "own" : "", name);
    const button = make("button", "ring", name);
    button.title = "Ring";
    button.addEventListener("click", () => this.#ring?.(name));
    const item = make("li", "");
    item.append(button);
    return item;
  }

  /** Somebody has written what they were typing. */
  wrote(name: string): void {
    clearTimeout(this.#writers.get(name));
    if (this.#writers.delete(name)) this.#show();
  }

  #types(name: string): void {
    if (name === this.#name) return;
    clearTimeout(this.#writers.get(name));
    this.#writers.set(name, setTimeout(() => this.wrote(name), typingTime));
    this.#show();
  }

  #show(): void {
    const names = [...this.#writers.keys()];
    this.#typing.textContent = names.length ? `${new Intl.ListFormat("en").format(names)} ${names.length > 1 ? "are" : "is"} typing …` : "";
  }
}
