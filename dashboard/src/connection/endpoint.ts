/** Where the bridge is and what it wants to hear, read from the page's own address. */

/** What a subprotocol may carry (RFC 9110, token). */
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,512}$/;

export interface Endpoint {
  readonly socketUrl: string;
  readonly instrumentsUrl: string;
  /** Empty without a token. With one, the bridge picks `tickpath`, so that the token is not repeated in its answer. */
  readonly protocols: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  /** Empty without one. */
  readonly token: string;
}

/** The endpoint beside the page at `address`; `#token=…` in it is used here and kept nowhere else. */
export function endpointOf(address: string): Endpoint {
  const socketUrl = new URL("ws", address);
  socketUrl.protocol = socketUrl.protocol === "https:" ? "wss:" : "ws:";
  const token = tokenOf(address);
  return {
    socketUrl: socketUrl.href,
    instrumentsUrl: new URL("api/instruments", address).href,
    protocols: token === null ? [] : ["tickpath", `bearer.${token}`],
    headers: token === null ? {} : { Authorization: `Bearer ${token}` },
    token: token ?? "",
  };
}

function tokenOf(address: string): string | null {
  const token = new URLSearchParams(new URL(address).hash.slice(1)).get("token");
  return token !== null && TOKEN.test(token) ? token : null;
}
