// Converters between JSON as encoding/json writes it and values of TypeScript. Generated
// code composes them where a type needs one: integers that may be beyond 2^53, floats,
// bytes, and numbers in quotes.

/**
 * A Convert turns a value that JSON.parse has made into what a program uses, in place,
 * or, where send is set, a copy of a program's value into what JSON.stringify writes.
 * It throws a ValueError for a value that would not arrive as it is. null and undefined
 * stay what they are.
 */
export type Convert = (value: any, send: boolean) => any;

/** A ValueError says which part of a value cannot be carried, and why. */
export class ValueError extends RangeError {
  /** Where in the value, such as "lines[3].count". */
  path = "";
  /** What is wrong there. */
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.name = "ValueError";
    this.reason = reason;
  }

  /** Adds the member or element that the path leads through first. */
  under(key: string | number): this {
    const step = typeof key === "number" ? `[${key}]` : /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? key : `[${JSON.stringify(key)}]`;
    this.path = step + (this.path && this.path[0] !== "[" ? "." : "") + this.path;
    this.message = `${this.path}: ${this.reason}`;
    return this;
  }
}

/** Adds a step to the path of an error, if it has one, and returns the error. */
export function under(error: unknown, key: string | number): unknown {
  return error instanceof ValueError ? error.under(key) : error;
}

// The functions that make converters have no side effects, so that a bundler leaves out
// converters that nothing uses.

/*#__NO_SIDE_EFFECTS__*/
function given(convert: Convert): Convert {
  return (value, send) => (value === null || value === undefined ? value : convert(value, send));
}

/**
 * JSON.rawJSON writes numbers exactly. An engine that has it also tells a reviver the
 * source of a number: Chrome 114, Firefox 135, Safari 18.4, Node 21.
 */
const rawJSON = () => (JSON as unknown as { rawJSON?: (text: string) => unknown }).rawJSON;

function raw(text: string): unknown {
  const make = rawJSON();
  if (!make) throw new ValueError("this engine cannot send an integer beyond 2^53, for it has no JSON.rawJSON");
  return make(text);
}

const beyond = "an integer beyond 2^53 would be rounded";

/** What is sent of an integer. */
function digits(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : raw(String(value));
  if (Number.isSafeInteger(value)) return value;
  throw new ValueError(Number.isInteger(value) ? beyond : "not an integer");
}

/** An integer of up to 64 bits as a number. One beyond 2^53 is refused. */
export const int: Convert = given((value, send) => {
  if (send) return digits(value);
  if (Number.isSafeInteger(value)) return value;
  throw new ValueError(typeof value === "bigint" || Number.isInteger(value) ? beyond : "not an integer");
});

/** An integer of any size as a bigint. Its method is exact, so that none is rounded. */
export const big: Convert = given((value, send) => (send ? digits(value) : typeof value === "bigint" ? value : BigInt(int(value, false))));

/** A number of any form, as json.Number has it: a bigint where it is an integer beyond 2^53. */
export const num: Convert = (value, send) => (typeof value === "bigint" ? (send ? digits(value) : value) : float(value, send));

/** A float. NaN and the infinities have no JSON. */
export const float: Convert = given((value, send) => {
  if (!send) return typeof value === "bigint" ? Number(value) : value;
  if (!Number.isFinite(value)) throw new ValueError(`${value} has no form in JSON`);
  return Object.is(value, -0) && rawJSON() ? raw("-0") : value;
});

/** Any JSON. Integers beyond 2^53 in it are bigints, and refused where the engine rounds them. */
export const any: Convert = (value, send) => {
  if (typeof value === "number" && !send && !rawJSON() && Number.isInteger(value) && !Number.isSafeInteger(value)) throw new ValueError(beyond);
  if (typeof value === "bigint" || typeof value === "number") return send ? num(value, true) : value;
  if (!send && rawJSON()) return value;
  if (Array.isArray(value)) return list(any)(value, send);
  return plain(value) ? dict(any)(value, send) : value;
};

/** Whether a value is an object without methods that make its JSON. */
function plain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** An integer in quotes as a bigint. */
export const text: Convert = given((value, send) => {
  if (send ? typeof value === "bigint" || Number.isSafeInteger(value) : /^-?\d+$/.test(value)) return send ? String(value) : BigInt(value);
  throw new ValueError(Number.isInteger(value) ? beyond : "not an integer");
});

/** The JSON of a value in quotes. */
/*#__NO_SIDE_EFFECTS__*/
export function quoted(convert: Convert = (value) => value): Convert {
  return given((value, send) => {
    if (send) return JSON.stringify(convert(value, true));
    try {
      return convert(JSON.parse(value), false);
    } catch (error) {
      throw error instanceof ValueError ? error : new ValueError("not a value in quotes");
    }
  });
}

/** Base64 as bytes. */
export const bytes: Convert = given((value, send) => {
  if (send) {
    if (!(value instanceof Uint8Array)) throw new ValueError("not a Uint8Array");
    return encode(value);
  }
  if (typeof value !== "string") throw new ValueError("not base64");
  try {
    return decode(value);
  } catch {
    throw new ValueError("not base64");
  }
});

type Base64 = { fromBase64?: (text: string) => Uint8Array };

function decode(value: string): Uint8Array {
  const { fromBase64 } = Uint8Array as Base64;
  return fromBase64 ? fromBase64.call(Uint8Array, value) : Uint8Array.from(atob(value), (c) => c.charCodeAt(0));
}

function encode(value: Uint8Array & { toBase64?: () => string }): string {
  if (value.toBase64) return value.toBase64();
  let binary = "";
  for (let i = 0; i < value.length; i += 8192) binary += String.fromCharCode(...value.subarray(i, i + 8192));
  return btoa(binary);
}

/** An array of values. */
/*#__NO_SIDE_EFFECTS__*/
export function list(convert: Convert): Convert {
  return given((value, send) => {
    if (!Array.isArray(value)) throw new ValueError("not an array");
    const out = send ? value.slice() : value;
    let i = 0;
    try {
      for (; i < out.length; i++) out[i] = convert(out[i], send);
    } catch (error) {
      throw under(error, i);
    }
    return out;
  });
}

/** An object of values by key. */
/*#__NO_SIDE_EFFECTS__*/
export function dict(convert: Convert): Convert {
  return members((value) => Object.keys(value).map((key) => [key, convert]));
}

/** An object of fields, of which those that need it are converted. */
/*#__NO_SIDE_EFFECTS__*/
export function object(fields: () => Record<string, Convert>): Convert {
  let entries: [string, Convert][] | undefined;
  return members(() => (entries ??= Object.entries(fields())));
}

/*#__NO_SIDE_EFFECTS__*/
function members(entries: (value: object) => [string, Convert][]): Convert {
  return given((value, send) => {
    if (typeof value !== "object") throw new ValueError("not an object");
    const out = send ? { ...value } : value;
    for (const [key, convert] of entries(value)) {
      // A member that is there is its own, so that __proto__ is one like any other.
      if (!Object.hasOwn(out, key)) continue;
      try {
        out[key] = convert(out[key], send);
      } catch (error) {
        throw under(error, key);
      }
    }
    return out;
  });
}

/**
 * Parses JSON with each integer beyond 2^53 as a bigint. If there may be one it takes
 * several times as long as JSON.parse. Where the engine does not tell the source of a
 * number such an integer stays rounded, and is refused by the converter.
 */
export function parseExact(json: string): unknown {
  if (!/\d{16}/.test(json)) return JSON.parse(json);
  return JSON.parse(json, function (_key: string, value: unknown, context?: { source?: string }) {
    const source = context?.source;
    return typeof value === "number" && source && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value;
  } as (key: string, value: unknown) => unknown);
}
