/** The newest items of an endless series, at most `capacity` of them. */
export class Recent<Item> {
  private readonly slots: Item[] = [];
  private pushed_ = 0;

  constructor(readonly capacity: number) {}

  /** How many were ever pushed: the difference to an earlier reading tells what is new. */
  get pushed(): number {
    return this.pushed_;
  }

  get length(): number {
    return this.slots.length;
  }

  push(item: Item): void {
    this.slots[this.pushed_ % this.capacity] = item;
    this.pushed_ += 1;
  }

  /** The item pushed `age` items ago: 0 is the newest. */
  newest(age = 0): Item | undefined {
    return age < this.slots.length ? this.slots[(this.pushed_ - 1 - age) % this.capacity] : undefined;
  }
}
