import type { Changes, Store } from "../store/store";

/** A part of the page. `render` runs at most once a frame and touches only what `changes` names. */
export interface View {
  render(store: Store, changes: Changes): void;
}
