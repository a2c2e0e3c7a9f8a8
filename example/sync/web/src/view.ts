import type { Replica, Shown } from "./replica.ts";

/** Returns the element with an id, which the page has. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** Shows the items of a replica, each with what edits it. */
export class View {
  readonly #replica: Replica;
  readonly #rows = new Map<string, Row>();

  constructor(replica: Replica) {
    this.#replica = replica;
    replica.subscribe(() => this.#show());
    this.#show();
  }

  // Keeps the row of each item that stays, so that nobody who is typing there is disturbed.
  #show(): void {
    const items = this.#replica.shown();
    const list = element("items");
    const gone = new Set(this.#rows.keys());
    items.forEach((item, at) => {
      gone.delete(item.id);
      let row = this.#rows.get(item.id);
      if (!row) this.#rows.set(item.id, (row = new Row(item.id, this.#replica)));
      row.show(item);
      if (list.children[at] !== row.element) list.insertBefore(row.element, list.children[at] ?? null);
    });
    for (const id of gone) {
      this.#rows.get(id)!.element.remove();
      this.#rows.delete(id);
    }
    element("empty").hidden = items.length > 0;
    const { waiting } = this.#replica;
    element("waiting").textContent = waiting === 0 ? "" : waiting === 1 ? "One edit waits for the network." : `${waiting} edits wait for the network.`;
  }
}

/** A row is one item. */
class Row {
  readonly element = document.createElement("li");
  readonly #done = document.createElement("input");
  readonly #text = document.createElement("input");
  readonly #remove = document.createElement("button");

  constructor(id: string, replica: Replica) {
    this.#done.type = "checkbox";
    this.#done.addEventListener("change", () => replica.edit(id, { done: this.#done.checked }));
    this.#text.maxLength = 200;
    this.#text.addEventListener("change", () => replica.edit(id, { text: this.#text.value.trim() }));
    this.#remove.type = "button";
    this.#remove.textContent = "Delete";
    this.#remove.addEventListener("click", () => {
      replica.edit(id, { deleted: true });
      element("text").focus();
    });
    this.element.append(this.#done, this.#text, this.#remove);
  }

  show(item: Shown): void {
    this.element.classList.toggle("waiting", item.waiting);
    this.element.classList.toggle("done", item.done);
    this.#done.checked = item.done;
    this.#done.setAttribute("aria-label", `${item.text}: done`);
    this.#text.setAttribute("aria-label", "Text");
    this.#remove.setAttribute("aria-label", `Delete ${item.text}`);
    if (document.activeElement !== this.#text) this.#text.value = item.text;
  }
}
