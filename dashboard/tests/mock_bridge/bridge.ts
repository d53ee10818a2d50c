/** A bridge for tests: serves the built page and speaks its WebSocket protocol, saying only what a test tells it to. */

import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { WebSocket, WebSocketServer } from "ws";

const DIST = join(import.meta.dirname, "../../dist");
const PAGE_FILES = new Set(["/index.html", "/assets/app.js", "/assets/app.css", "/assets/favicon.svg"]);
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};
/** As strict as a bridge may be; the page must work under it. */
const SECURITY_POLICY = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'";

export const NO_BACKTESTS = { dir: "/srv/backtests", reports: [], skipped: 0, left_out: 0 };

export interface Request {
  readonly op: string;
  readonly channels: readonly string[];
  /** Missing where the channels belong to no symbol. */
  readonly symbols?: readonly string[];
  readonly id: number;
}

/** A message of one channel about one instrument, or about everything. */
export interface Published {
  readonly channel: string;
  readonly venue?: string;
  readonly symbol?: string | null;
  readonly [field: string]: unknown;
}

export interface MockBridgeOptions {
  readonly instruments: readonly object[];
  /** What a client gets upon a subscription. */
  readonly snapshots: (request: Request) => readonly object[];
  /** What `/api/backtests` answers, and the pages of the reports by name. */
  readonly backtests?: { readonly list: object; readonly pages: Readonly<Record<string, string>> };
  /** With a token, a client must bring it. */
  readonly token?: string;
}

class Client {
  /** A mute line stays open and answers nothing, as that of a stopped process does. */
  isMute = false;
  private readonly subscribed = new Set<string>();

  constructor(readonly socket: WebSocket) {}

  handle(request: Request): void {
    for (const channel of request.channels) {
      for (const symbol of request.symbols ?? ["*"]) {
        const entry = `${channel} ${symbol}`;
        if (request.op === "subscribe") this.subscribed.add(entry);
        else this.subscribed.delete(entry);
      }
    }
  }

  wants({ channel, venue, symbol }: Published): boolean {
    return this.subscribed.has(`${channel} *`) || this.subscribed.has(`${channel} ${venue}:${symbol}`);
  }
}

export class MockBridge {
  /** Every subscribe and unsubscribe of every client, oldest first. */
  readonly requests: Request[] = [];
  /** Subprotocols that clients offered, and `Authorization` headers of the instrument list. */
  readonly offeredProtocols: string[] = [];
  readonly authorizations: string[] = [];
  /** What was posted to the kill switch, with the token that came with it. */
  readonly killed: string[] = [];
  private readonly clients = new Set<Client>();
  private readonly http: Server;
  private readonly sockets: WebSocketServer;

  constructor(private readonly options: MockBridgeOptions) {
    this.http = createServer((request, response) => void this.serve(request, response));
    this.sockets = new WebSocketServer({
      server: this.http,
      path: "/ws",
      handleProtocols: (offered) => (offered.has("tickpath") ? "tickpath" : false),
      verifyClient: ({ req }: { req: IncomingMessage }) => this.isWelcome(req),
    });
    this.sockets.on("connection", (socket) => this.accept(socket));
  }

  get clientCount(): number {
    return this.clients.size;
  }

  /** Listens on a free port, or on the one given, and tells it. */
  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.http.once("error", reject);
      this.http.listen(port, "127.0.0.1", resolve);
    });
    return (this.http.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const { socket } of this.clients) socket.terminate();
    this.sockets.close();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  publish(message: Published): void {
    const text = JSON.stringify(message);
    for (const client of this.clients) if (client.wants(message)) client.socket.send(text);
  }

  /** Falls silent on the lines that are open now; a new one is answered. */
  muteOpenLines(): void {
    for (const client of this.clients) client.isMute = true;
  }

  /** Sends a text as it is, to everyone. */
  sendRaw(text: string): void {
    for (const { socket } of this.clients) socket.send(text);
  }

  private isWelcome(request: IncomingMessage): boolean {
    const offered = request.headers["sec-websocket-protocol"] ?? "";
    this.offeredProtocols.push(offered);
    const { token } = this.options;
    return token === undefined || offered.split(/,\s*/).includes(`bearer.${token}`);
  }

  private accept(socket: WebSocket): void {
    const client = new Client(socket);
    this.clients.add(client);
    socket.on("close", () => this.clients.delete(client));
    socket.on("message", (data) => this.answer(client, JSON.parse(String(data)) as Request));
  }

  private answer(client: Client, request: Request): void {
    if (client.isMute) return;
    const reply = (message: object) => client.socket.send(JSON.stringify(message));
    if (request.op === "ping") return reply({ op: "pong", id: request.id });
    this.requests.push(request);
    client.handle(request);
    reply({ op: `${request.op}d`, id: request.id, channels: request.channels, symbols: request.symbols });
    if (request.op === "subscribe") for (const snapshot of this.options.snapshots(request)) reply(snapshot);
  }

  /** As the bridge: without a token of its own it refuses whoever asks. */
  private serveKill(path: string, authorization: string, response: ServerResponse): void {
    const { token } = this.options;
    const [status, code, message] =
      token === undefined
        ? [403, "no_token_configured", "this bridge has no token"]
        : authorization !== `Bearer ${token}`
          ? [401, "unauthorized", "a bearer token is required"]
          : [200, "", ""];
    if (status === 200) this.killed.push(path);
    const body = status === 200 ? { state: path === "/api/kill" ? "killed" : "armed", changed: true } : { error: { code, message } };
    response.writeHead(status as number, { "content-type": "application/json" }).end(JSON.stringify(body));
  }

  /** As the bridge: a report comes with a policy under which nothing runs. */
  private serveBacktests(path: string, response: ServerResponse): void {
    const { list, pages } = this.options.backtests ?? { list: NO_BACKTESTS, pages: {} };
    if (path === "/api/backtests") {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(list));
      return;
    }
    const page = pages[decodeURIComponent(path.split("/")[2] ?? "")];
    const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'" };
    if (page === undefined) response.writeHead(404).end();
    else response.writeHead(200, headers).end(page);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const path = pathname === "/" ? "/index.html" : pathname;
    if (path === "/api/instruments") {
      this.authorizations.push(request.headers.authorization ?? "");
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(this.options.instruments));
    } else if (request.method === "POST" && (path === "/api/kill" || path === "/api/arm")) {
      this.serveKill(path, request.headers.authorization ?? "", response);
    } else if (path === "/api/backtests" || path.startsWith("/backtests/")) {
      this.serveBacktests(path, response);
    } else if (PAGE_FILES.has(path)) {
      const body = await readFile(join(DIST, path));
      const type = CONTENT_TYPES[extname(path)] ?? "application/octet-stream";
      response.writeHead(200, { "content-type": type, "content-security-policy": SECURITY_POLICY }).end(body);
    } else {
      response.writeHead(404).end();
    }
  }
}
