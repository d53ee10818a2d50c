/** Reading the fields of an untrusted JSON value: the right type comes back, or a `Refusal` that names the field. */

import { parseDecimal, type Decimal } from "../decimal";

/** No name, code or message of the bridge is longer. */
const TEXT_LENGTH_MAX = 1024;

/** What was wrong with a message, and where. */
export class Refusal extends Error {
  override readonly name = "Refusal";
}

/** The fields of one JSON object. `path` tells where in the message it stood. */
export class Fields {
  private readonly values: Readonly<Record<string, unknown>>;
  private readonly path: string;

  constructor(value: unknown, path: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Refusal(`${path} is not an object`);
    this.values = value as Record<string, unknown>;
    this.path = path;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.values, name);
  }

  /** Whether the field is missing or null. */
  isAbsent(name: string): boolean {
    return (this.value(name) ?? null) === null;
  }

  text(name: string): string {
    const value = this.value(name);
    if (typeof value !== "string" || value.length > TEXT_LENGTH_MAX) throw this.refusal(name, "a text");
    return value;
  }

  textOrNull(name: string): string | null {
    return this.isAbsent(name) ? null : this.text(name);
  }

  flag(name: string): boolean {
    const value = this.value(name);
    if (typeof value !== "boolean") throw this.refusal(name, "true or false");
    return value;
  }

  number(name: string): number {
    const value = this.value(name);
    if (typeof value !== "number" || !Number.isFinite(value)) throw this.refusal(name, "a number");
    return value;
  }

  numberOrNull(name: string): number | null {
    return this.isAbsent(name) ? null : this.number(name);
  }

  /** A nanosecond time, kept to the millisecond: a float holds today's nanoseconds to 256 ns only. */
  timeMs(name: string): number {
    return Math.floor(this.number(name) / 1e6);
  }

  decimal(name: string): Decimal {
    const value = this.value(name);
    const decimal = typeof value === "string" ? parseDecimal(value) : null;
    if (decimal === null) throw this.refusal(name, "a decimal in a text");
    return decimal;
  }

  decimalOrNull(name: string): Decimal | null {
    return this.isAbsent(name) ? null : this.decimal(name);
  }

  oneOf<const Choice extends string>(name: string, choices: readonly Choice[]): Choice {
    const value = this.value(name);
    const choice = choices.find((known) => known === value);
    if (choice === undefined) throw this.refusal(name, `one of ${choices.join(", ")}`);
    return choice;
  }

  object(name: string): Fields {
    return new Fields(this.value(name), `${this.path}.${name}`);
  }

  /** The elements of an array, each as its fields. */
  objects<Item>(name: string, countMax: number, read: (fields: Fields) => Item): Item[] {
    return this.array(name, countMax).map((value, index) => read(new Fields(value, `${this.path}.${name}[${index}]`)));
  }

  array(name: string, countMax: number): readonly unknown[] {
    const value = this.value(name);
    if (!Array.isArray(value)) throw this.refusal(name, "an array");
    if (value.length > countMax) throw this.refusal(name, `an array of at most ${countMax}`);
    return value;
  }

  refusal(name: string, expected: string): Refusal {
    return new Refusal(`${this.path}.${name} is not ${expected}`);
  }

  private value(name: string): unknown {
    return this.has(name) ? this.values[name] : undefined;
  }
}
