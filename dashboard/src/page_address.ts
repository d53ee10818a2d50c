/** The selected instrument in the page's address (`?instrument=kraken:BTC/USD`), so that it survives a reload and can be shared. */

import type { InstrumentKey } from "./protocol/messages";

const PARAMETER = "instrument";

/** The instrument that the address names, if any. */
export function instrumentInAddress(): InstrumentKey | null {
  const key = new URLSearchParams(location.search).get(PARAMETER);
  return key !== null && key.includes(":") ? (key as InstrumentKey) : null;
}

/** Writes the instrument into the address; the rest of it stays. */
export function setInstrumentInAddress(key: InstrumentKey): void {
  const address = new URL(location.href);
  address.searchParams.set(PARAMETER, key);
  history.replaceState(null, "", address);
}
