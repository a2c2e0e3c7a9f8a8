// What jayson serves over each of its transports.

import jayson from "jayson";
import { add, failure, note } from "./calc.js";

export const server = new jayson.Server({
  calc_add: ([a, b], done) => done(null, add(a, b)),
  calc_fail: ([, detail], done) => done(failure(detail)),
  calc_note: ([text], done) => done(null, note(text)),
});
