// Elements of the page, made by script: what comes from a server is text, and never HTML.

type Child = Node | string | false | undefined;

/** Makes an element. Functions are listeners, names of properties set these, others attributes. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Record<string, unknown> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(name, value as EventListener);
    else if (value === undefined || value === false) continue;
    else if (name in element && !name.includes("-") && name !== "list") (element as any)[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((c) => c !== false && c !== undefined));
  return element;
}

/** The element of the page's HTML with an id. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

let ids = 0;

/** A new id, for labels. */
export const newId = (): string => `f${++ids}`;

/** Calls a function with the next frame of the screen, once however often it is asked to. */
export function throttled(draw: () => void): () => void {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    setTimeout(() => {
      due = false;
      draw();
    }, 50); // not by requestAnimationFrame, which a hidden page does not have
  };
}

/** Milliseconds as text. */
export const ms = (n: number): string => (n < 10 ? n.toFixed(2) : n < 1000 ? n.toFixed(1) : Math.round(n).toLocaleString("en")) + " ms";

/** A number of things. */
export const count = (n: number, noun: string): string => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
