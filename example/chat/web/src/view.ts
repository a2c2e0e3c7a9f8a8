import type { Message } from "./api/chat.ts";

/** Returns the element with an id, which the page has. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** Returns a new element with a class and a text. */
export function make(tag: string, className: string, text = ""): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

// How many messages the page shows. Those before are the history's.
const shown = 500;

/** Messages shows what was said, and at the end what is still on its way. */
export class Messages {
  readonly #list: HTMLElement;
  readonly #name: string;
  #last: string | undefined; // the author of the last message
  #waiting: HTMLElement[] = [];
  #atEnd = true; // and to be kept there
  #height = 0; // of the list, as far as has been told

  constructor(list: HTMLElement, name: string) {
    this.#list = list;
    this.#name = name;
    list.addEventListener("scroll", () => {
      // With another height it was scrolled before it was resized, and #follow comes next.
      if (list.clientHeight === this.#height) this.#atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 50;
    });
    new ResizeObserver(() => {
      this.#height = list.clientHeight;
      this.#follow();
    }).observe(list);
  }

  /** Shows no message any more, but for those that are still on their way. */
  clear(): void {
    this.#last = undefined;
    this.#list.replaceChildren(...this.#waiting);
  }

  add(message: Message): void {
    const said = this.#make(message.author, message.text, message.author === this.#last);
    const time = make("time", "", clock.format(new Date(message.time)));
    (time as HTMLTimeElement).dateTime = message.time;
    said.append(time);
    this.#last = message.author;
    this.#list.insertBefore(said, this.#waiting[0] ?? null);
    if (this.#list.childElementCount > shown) this.#list.firstElementChild!.remove();
    this.#follow();
  }

  /** Shows a message that is being posted. Returns what removes it again. */
  pending(author: string, text: string): () => void {
    const said = this.#make(author, text, author === this.#last);
    said.classList.add("waiting");
    said.setAttribute("aria-hidden", "true"); // it is read out when it has been posted
    this.#waiting.push(said);
    this.#list.append(said);
    this.#scroll();
    return () => {
      said.remove();
      this.#waiting = this.#waiting.filter((other) => other !== said);
    };
  }

  #make(author: string, text: string, goesOn: boolean): HTMLElement {
    const said = make("article", author === this.#name ? "own" : "");
    const by = make("b", goesOn ? "hidden" : "", author);
    said.append(by, make("p", "", text));
    return said;
  }

  #follow(): void {
    if (this.#atEnd) this.#scroll();
  }

  #scroll(): void {
    this.#list.scrollTop = this.#list.scrollHeight;
  }
}
