// JSON in which integers beyond 2^53 stay what they are: bigints in values, digits in text.

import { any, parseExact } from "../../../typescript/wirecall_values.ts";

/** Parses JSON. */
export const parse = (text: string): unknown => parseExact(text);

/** A value as JSON on several lines. */
export function pretty(value: unknown): string {
  return JSON.stringify(any(value, true), null, 2) ?? "nothing";
}

/** A value as JSON on a line. */
export function compact(value: unknown): string {
  return JSON.stringify(any(value, true)) ?? "nothing";
}

/** Whether a value is an object, and no array. */
export const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** The first characters of a text. */
export const brief = (text: string, most = 200): string => (text.length <= most ? text : text.slice(0, most) + "…");
