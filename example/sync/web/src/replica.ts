import { isAnew, isRefused, type Edit, type Item, type Lists } from "./api/lists.ts";

/** What an edit sets of an item. */
export type Fields = Pick<Edit, "text" | "done" | "deleted">;

/** An item as it is shown: with the edits that wait, of which the server does not know yet. */
export interface Shown extends Item {
  waiting: boolean;
}

// What the tab keeps, so that it is there when it is loaded again.
interface Kept {
  client: string;
  number: number; // of the last edit
  epoch: string;
  after: number;
  items: Item[];
  edits: Edit[];
}

/** The most edits that the server takes at once. */
const most = 100;

/**
 * A Replica is a tab's copy of a list. It is edited at any time; sync sends its edits and
 * reads those of others. All replicas that have read everything show the same.
 */
export class Replica {
  readonly #list: string;
  readonly #key: string;
  readonly #kept: Kept;
  readonly #listeners = new Set<() => void>();
  readonly #refused: (edit: Edit, why: string) => void;

  constructor(list: string, refused: (edit: Edit, why: string) => void) {
    this.#list = list;
    this.#key = `list ${list}`;
    this.#refused = refused;
    const kept = sessionStorage.getItem(this.#key);
    this.#kept = kept ? JSON.parse(kept) : { client: crypto.randomUUID(), number: 0, epoch: "", after: 0, items: [], edits: [] };
  }

  /** Calls a function whenever the list changes. Returns what ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** How many edits the server does not have, as far as is known. */
  get waiting(): number {
    return this.#kept.edits.length;
  }

  /** What stands on the list. */
  shown(): Shown[] {
    const all = new Map<string, Shown>();
    for (const item of this.#kept.items) all.set(item.id, { ...item, waiting: false });
    for (const edit of this.#kept.edits) {
      const item = all.get(edit.item) ?? { list: this.#list, id: edit.item, text: "", done: false, deleted: false, first: Infinity, seq: 0, waiting: true };
      const { text = item.text, done = item.done, deleted = item.deleted } = edit;
      all.set(edit.item, { ...item, text, done, deleted, waiting: true });
    }
    return [...all.values()].filter((item) => !item.deleted).sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  }

  /** Sets fields of an item, which is made if there is none. */
  edit(item: string, fields: Fields): void {
    this.#kept.edits.push({ number: ++this.#kept.number, list: this.#list, item, ...fields });
    this.#changed();
  }

  /** Sends edits as they come, until the connection is closed. */
  async send(lists: Lists): Promise<void> {
    for (;;) {
      const edits = this.#kept.edits.slice(0, most);
      if (edits.length === 0) {
        await this.#change();
        continue;
      }
      try {
        for (const item of (await lists.apply(this.#kept.client, edits)) ?? []) this.#merge(item);
        this.#drop(edits);
      } catch (error) {
        const refused = isRefused(error) && edits.find((edit) => edit.number === error.data.number);
        if (!refused) throw error;
        this.#refused(refused, (error as { data: { why: string } }).data.why);
        this.#drop([refused]);
      }
    }
  }

  /** Reads changes until the connection is closed. */
  async receive(lists: Lists): Promise<void> {
    const kept = this.#kept;
    for (;;) {
      try {
        for await (const item of lists.changes(this.#list, kept.epoch, kept.after)) {
          this.#merge(item);
          kept.after = item.seq;
          this.#changed();
        }
        return;
      } catch (error) {
        if (!isAnew(error)) throw error;
        Object.assign(kept, { epoch: error.data.epoch, after: 0, items: [] });
        this.#changed();
      }
    }
  }

  // Puts an item of the server in place of an older state of it.
  #merge(item: Item): void {
    const items = this.#kept.items;
    const at = items.findIndex((known) => known.id === item.id);
    if (at < 0) items.push(item);
    else if (items[at]!.seq < item.seq) items[at] = item;
  }

  // Forgets edits that are stored or refused. Others may have come meanwhile.
  #drop(edits: Edit[]): void {
    this.#kept.edits = this.#kept.edits.filter((edit) => !edits.includes(edit));
    this.#changed();
  }

  #changed(): void {
    sessionStorage.setItem(this.#key, JSON.stringify(this.#kept));
    for (const listener of [...this.#listeners]) listener();
  }

  // Resolves at the next change.
  #change(): Promise<void> {
    return new Promise((resolve) => {
      const undo = this.subscribe(() => {
        undo();
        resolve();
      });
    });
  }
}
