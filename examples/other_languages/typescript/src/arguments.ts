// From named arguments to the flat list that a script takes, as the manifest describes it.
import { isConditional, isRepeated } from "./contracts.js";
import type { Argument } from "./contracts.js";

export type Value = string | number | Buffer;
export interface Named {
  [name: string]: Value | Named[];
}

/** Throws where one is missing. A count need not be given: it is the length of its list. */
export function flatten(described: Argument[], given: Named): Value[] {
  return described.flatMap((each) => {
    if (isConditional(each)) {
      return each.is.includes(String(given[each.where])) ? flatten(each.arguments, given) : [];
    }
    if (isRepeated(each)) {
      return rows(given, each.name).flatMap((row) => flatten(each.arguments, row));
    }
    const counted = described.find((other) => isRepeated(other) && other.times === each.name);
    if (counted !== undefined && isRepeated(counted)) {
      return [rows(given, counted.name).length];
    }
    return [value(given, each.name)];
  });
}

function rows(given: Named, name: string): Named[] {
  const found = given[name];
  if (!Array.isArray(found)) throw new TypeError(`${name} must be a list`);
  return found;
}

function value(given: Named, name: string): Value {
  const found = given[name];
  if (found === undefined || Array.isArray(found)) throw new TypeError(`${name} is missing`);
  return found;
}
