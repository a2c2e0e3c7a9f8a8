// The list of methods, by their services.

import type { Description, Method } from "./description.ts";
import { element, h } from "./dom.ts";

/** How many methods are listed. A filter finds the others. */
const listed = 500;

/** Methods is the list. */
export class Methods {
  readonly #list = element("method-list");
  readonly #filter = element<HTMLInputElement>("method-filter");
  readonly #choose: (m: Method) => void;
  #description: Description | undefined;
  #chosen = "";

  constructor(choose: (m: Method) => void) {
    this.#choose = choose;
    this.#filter.addEventListener("input", () => this.#draw());
  }

  /** Lists the methods of a server. */
  show(description: Description): void {
    this.#description = description;
    this.#draw();
  }

  /** Marks a method as chosen. */
  mark(name: string): void {
    this.#chosen = name;
    for (const button of this.#list.querySelectorAll("button")) mark(button, name);
  }

  #draw(): void {
    const wanted = this.#filter.value.toLowerCase();
    const all = this.#description!.methods.filter((m) => m.name.toLowerCase().includes(wanted));
    const services = new Map<string, Method[]>();
    for (const m of all.slice(0, listed)) services.set(m.service, [...(services.get(m.service) ?? []), m]);
    this.#list.replaceChildren(...[...services].map(([name, methods]) => this.#service(name, methods)));
    if (all.length > listed) this.#list.append(h("p", {}, `and ${all.length - listed} more`));
    if (!all.length) this.#list.append(h("p", {}, "None has this in its name."));
  }

  #service(name: string, methods: Method[]): HTMLElement {
    const title = h("h2", { title: this.#description!.services.get(name) ?? "" }, name || "methods");
    return h("section", {}, title, h("ul", {}, ...methods.map((m) => h("li", {}, this.#button(m)))));
  }

  #button(m: Method): HTMLElement {
    const short = m.service && m.name.startsWith(m.service) ? m.name.slice(m.service.length + 1) : m.name;
    const button = h("button", { type: "button", title: m.name, className: m.deprecated ? "deprecated" : "", click: () => this.#choose(m) }, short || m.name);
    button.dataset["method"] = m.name;
    mark(button, this.#chosen);
    return button;
  }
}

function mark(button: HTMLElement, name: string): void {
  if (button.dataset["method"] === name) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
}
