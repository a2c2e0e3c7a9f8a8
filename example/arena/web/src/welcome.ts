/** Returns the element with an id, which the page has. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** A Visit is to a room, to play under a name or, without one, to watch. */
export interface Visit {
  room: string;
  name: string;
}

/** Returns the visit that the address says, or asks for one. */
export async function ask(again: boolean = false): Promise<Visit> {
  const query = new URLSearchParams(location.search);
  const name = element<HTMLInputElement>("name"), room = element<HTMLInputElement>("room");
  room.value = query.get("room") ?? room.value;
  name.value = query.get("name") ?? name.value;
  if (!again && query.has("room") && (query.has("watch") || name.value)) return { room: room.value, name: name.value };
  const dialog = element<HTMLDialogElement>("welcome");
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  const play = dialog.returnValue !== "watch";
  const visit = { room: room.value.trim(), name: play ? name.value.trim() : "" };
  history.replaceState(null, "", "?" + new URLSearchParams(play ? { ...visit } : { room: visit.room, watch: "" }));
  return visit;
}

/** Says in the dialog why a visit was refused. */
export function problem(text: string): void {
  element("problem").textContent = text;
}
